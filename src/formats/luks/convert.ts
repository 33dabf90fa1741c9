/**
 * LUKS1 to LUKS2 and back, as `cryptsetup convert`: the header and the places of key slots change, the data and their key stay.
 *
 * Other than cryptsetup's, it may be killed at any write: what is needed of the old header is not overwritten before the new one is whole, and the sector
 * that says which of the two it is changes at once. So key slots stay where they are, but for one that lies where the new header will be.
 */

import { DmError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { convertToLuks1 } from './convert-down.ts';
import { convertToLuks2 } from './convert-up.ts';
import { probeLuks } from './index.ts';

/** Throws DmError when the other version cannot say what this one says; nothing was written then. */
export async function convertLuks(disk: ByteDisk, version: 1 | 2): Promise<void> {
  const probe = await probeLuks(disk);
  if (probe.kind === 'none') {
    throw new DmError('ENODATA', `Device ${disk.name} is not a valid LUKS device.`);
  }
  if (probe.kind === 'damaged') throw probe.problem;
  if (probe.version === version) {
    throw new DmError('EINVAL', `Device is already LUKS${version} type.`);
  }
  if (version === 2) await convertToLuks2(disk);
  else await convertToLuks1(disk);
}
