/** LUKS1 to LUKS2 and back: the header only, the data stay where they are. */

import { DmError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';

/** Throws DmError when the other version cannot say what this header says; nothing was written then. */
export function convertImage(disk: ByteDisk, version: 1 | 2): Promise<void> {
  throw new DmError('ENOTSUP', `Cannot convert ${disk.name} to LUKS${version}`);
}
