/** The end of a LUKS1 re-encryption: the new header and its key slots come to their place, over the old ones. */

import { SECTOR_BYTES } from '../../../base/units.ts';
import type { ByteDisk } from '../../../core/byte-disk.ts';
import { CHUNK_BYTES, readChunks, WriteBehind } from '../../luks2/reencrypt/chunks.ts';
import { decodeHeader } from '../header.ts';
import { HEADER_BYTES } from '../layout.ts';

/**
 * `from` holds the header with its key material and nothing else. All that lies before the data is overwritten: key material of the old key, and plain text that an
 * encryption left. The first sector comes last: a crash before leaves the mark, and placing begins again.
 */
export async function placeLuks1Header(from: ByteDisk, to: ByteDisk): Promise<void> {
  const { payloadSectors } = decodeHeader(await from.read(0, HEADER_BYTES));
  const endBytes = payloadSectors === 0 ? from.sizeBytes : payloadSectors * SECTOR_BYTES;
  const firstBytes = to.sectorBytes;
  const copiedBytes = Math.min(from.sizeBytes, endBytes);
  const writer = new WriteBehind(to);
  for await (const { atBytes, bytes } of readChunks(from, firstBytes, copiedBytes - firstBytes)) {
    await writer.write(firstBytes + atBytes, bytes);
  }
  for (let at = copiedBytes; at < endBytes; at += CHUNK_BYTES) {
    await writer.write(at, new Uint8Array(Math.min(CHUNK_BYTES, endBytes - at)));
  }
  await writer.end();
  await to.write(0, await from.read(0, firstBytes));
  await to.flush();
}
