/**
 * A decryption moves the header that stands in front of the data to a file, then the beginning of the data over it. Killed before that file
 * says that a decryption is under way, it leaves a file that looks like a detached header of a volume that begins behind nothing.
 */

import { openFileDisk } from '../../devices/byte-disk.ts';
import { openLuks } from '../../formats/luks/index.ts';

/** The first of these holds version, sequence number and checksum of a header: equal ones are of the same header. */
const SECTOR_BYTES = 512;

/** Whether the file is what such a decryption of this image left: its header is still in front, or the beginning of the data is there already. */
export async function isExportedHeader(path: string, headerPath: string): Promise<boolean> {
  await using file = await openFileDisk(headerPath, { readOnly: true });
  const { version, dataOffsetBytes } = await openLuks(file);
  if (version !== 2 || dataOffsetBytes === 0 || file.sizeBytes > dataOffsetBytes) return false;
  await using data = await openFileDisk(path, { readOnly: true, lock: 'none' });
  if (data.sizeBytes < dataOffsetBytes + SECTOR_BYTES) return false;
  const front = await data.read(0, SECTOR_BYTES);
  const header = await file.read(0, SECTOR_BYTES);
  const beginning = await data.read(dataOffsetBytes, SECTOR_BYTES);
  return [header, beginning].some((each) => Buffer.compare(front, each) === 0);
}
