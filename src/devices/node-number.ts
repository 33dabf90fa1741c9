/** The number of a device node, out of what stat says. */

import type { DeviceNumber } from '../core/device.ts';

/** As Linux encodes it: 12 bits of major number between 8 low and 12 high bits of the minor number. */
export function deviceNumberOf(rdev: number): DeviceNumber {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
