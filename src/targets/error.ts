/**
 * error: every request fails with EIO. `[<device> <offset>]`, where the device only lends its limits.
 *
 * As in the kernel, two arguments are a device and an offset, any other number of them means nothing, and the table line
 * shows none: the name is a `wipe_table` away from every other target.
 */

import type { DeviceRange } from '../core/device.ts';
import type { TargetType } from '../core/target.ts';

export const error: TargetType = {
  name: 'error',
  version: [1, 7, 0],
  usage: '[<device> <offset>]',
  summary: 'fails every request',
  features: ['stateless', 'wildcard'],
  create(args, context) {
    const ranges: DeviceRange[] = [];
    if (args.count === 2) {
      const operand = args.word('device');
      const startSectors = args.sectors('offset', 'Invalid device sector');
      const device = args.open(operand);
      ranges.push({ device, startSectors, lengthSectors: context.length });
    }
    return {
      map: () => 'kill',
      table: () => '',
      devices: () => ranges,
      discardsSupported: true,
    };
  },
};
