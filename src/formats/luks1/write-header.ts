/**
 * Writing the header. It takes two sectors, and the border runs through key slot 6: a disk that loses power may have one new
 * and one old. So a change says which of them must be there first.
 */

import { DmError } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { decodeHeader, encodeHeader, type Luks1Header } from './header.ts';
import { HEADER_BYTES } from './layout.ts';

/**
 * `enable`: something is there that was not; the second sector (the end of slot 6, and slot 7) comes before the first, which names it.
 * `disable`: the first sector comes first, so that no slot is active whose salt is gone.
 */
export type HeaderChange = 'enable' | 'disable';

/** Flushed when it resolves. `before`: what is on the disk; null: nothing to rely on. */
export async function writeHeader(
  disk: ByteDisk,
  before: Luks1Header | null,
  after: Luks1Header,
  change: HeaderChange,
): Promise<void> {
  const encoded = encodeHeader(after);
  const old = before && encodeHeader(before);
  const changed = [0, SECTOR_BYTES].filter(
    (offset) => !old || !isEqual(sectorAt(old, offset), sectorAt(encoded, offset)),
  );
  if (change === 'enable') changed.reverse();
  if (disk.sectorBytes >= HEADER_BYTES && changed.length > 0) {
    await disk.write(0, encoded);
    await disk.flush();
    return;
  }
  for (const offset of changed) {
    await disk.write(offset, sectorAt(encoded, offset));
    await disk.flush();
  }
}

/**
 * Throws DmError EBUSY if the header on the disk is not the one that `header` was read as: a slot that somebody else filled meanwhile would be lost.
 * Locks see to that where there are any.
 */
export async function assertCurrent(disk: ByteDisk, header: Luks1Header): Promise<void> {
  const onDisk = decodeHeader(await disk.read(0, Math.min(disk.sizeBytes, HEADER_BYTES)));
  if (isEqual(encodeHeader(onDisk), encodeHeader(header))) return;
  throw new DmError(
    'EBUSY',
    `Cannot write LUKS1 header of ${disk.name}: another program has changed it since it was read`,
  );
}

function sectorAt(encoded: Uint8Array, offset: number): Uint8Array {
  return encoded.subarray(offset, offset + SECTOR_BYTES);
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, index) => byte === b[index]);
}
