/** linear: a run of one device, moved. `<device> <offset>`. Source: Documentation/admin-guide/device-mapper/linear.rst */

import type { Bio } from '../core/bio.ts';
import { formatDeviceNumber } from '../core/device.ts';
import type { TargetType } from '../core/target.ts';

export const linear: TargetType = {
  name: 'linear',
  version: [1, 5, 0],
  usage: '<device> <offset>',
  summary: 'maps to a run of another device',
  features: ['stateless'],
  create(args, context) {
    args.expectCount(args.count === 2);
    const operand = args.word('device');
    const offset = args.sectors('offset', 'Invalid device sector');
    const device = args.open(operand);
    const shift = offset - context.start;
    return {
      shift: { device, sectors: shift },
      map(bio: Bio) {
        bio.device = device;
        bio.sector += shift;
        return 'remapped';
      },
      table: () => `${device.operand} ${offset}`,
      measure: () => `device_name=${formatDeviceNumber(device.number)},start=${offset}`,
      devices: () => [{ device, startSectors: offset, lengthSectors: context.length }],
    };
  },
};
