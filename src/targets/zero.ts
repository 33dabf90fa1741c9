/** zero: reads give zeroes, writes vanish. No arguments. Source: Documentation/admin-guide/device-mapper/zero.rst */

import { type Bio, Op } from '../core/bio.ts';
import { ExtentFlag } from '../core/extents.ts';
import type { TargetType } from '../core/target.ts';

export const zero: TargetType = {
  name: 'zero',
  version: [1, 2, 0],
  usage: '',
  summary: 'reads give zeroes, writes vanish',
  features: ['stateless'],
  create(args) {
    args.end('No arguments required');
    return {
      map(bio: Bio) {
        if (bio.op === Op.blockStatus) {
          bio.extents?.add(0, bio.sectorCount, ExtentFlag.hole | ExtentFlag.zero);
        } else if (bio.op === Op.read) {
          bio.data.fill(0, bio.dataOffset, bio.dataOffset + bio.lengthBytes);
        }
        bio.end(0);
        return 'submitted';
      },
      table: () => '',
      devices: () => [],
    };
  },
};
