/** `dev` as huge_encode_dev makes it: 8 low bits of the minor number, 12 of the major, then the other minor bits. */

import type { DeviceNumber } from '../../core/device.ts';

const MAJOR_BITS = 0xfff;
const LOW_MINOR_BITS = 0xff;
const HIGH_MINOR_BITS = 0xfff00;

export function encodeDeviceNumber({ major, minor }: DeviceNumber): number {
  const high = (minor & HIGH_MINOR_BITS) * 2 ** 12;
  return (minor & LOW_MINOR_BITS) + (major & MAJOR_BITS) * 2 ** 8 + high;
}

/** Of a 64-bit field only the low half counts. */
export function decodeDeviceNumber(dev: number): DeviceNumber {
  const low = dev >>> 0;
  return {
    major: (low >>> 8) & MAJOR_BITS,
    minor: (low & LOW_MINOR_BITS) | ((low >>> 12) & HIGH_MINOR_BITS),
  };
}
