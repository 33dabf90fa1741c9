/** LUKS1 to LUKS2 and back: the header only, the data stay where they are. */

import type { ByteDisk } from '../../core/byte-disk.ts';
import { convertLuks } from '../../formats/luks/convert.ts';

/** Throws DmError when the other version cannot say what this header says; nothing was written then. */
export function convertImage(disk: ByteDisk, version: 1 | 2): Promise<void> {
  return convertLuks(disk, version);
}
