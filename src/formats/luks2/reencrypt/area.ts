/** Room for a re-encryption in the header: a key slot's number, and the largest gap, for checksums or the journal. Pure. */

import { DmError } from '../../../base/errors.ts';
import { type AreaPlace, areaGaps } from '../area-gap.ts';
import type { Luks2Header } from '../header.ts';
import { AREA_ALIGNMENT_BYTES, KEYSLOTS_MAX } from '../limits.ts';

/** Throws DmError ENOSPC when there is none. */
export function largestGap({ metadata, headerBytes }: Luks2Header): AreaPlace {
  let best: AreaPlace = { offsetBytes: 0, sizeBytes: 0 };
  for (const { offsetBytes, sizeBytes } of areaGaps(metadata, headerBytes)) {
    const wholeBytes = sizeBytes - (sizeBytes % AREA_ALIGNMENT_BYTES);
    if (wholeBytes > best.sizeBytes) best = { offsetBytes, sizeBytes: wholeBytes };
  }
  if (best.sizeBytes > 0) return best;
  throw new DmError('ENOSPC', 'Cannot re-encrypt: Not enough space in header keyslot area.');
}

/** Throws DmError ENOSPC when all are taken. */
export function freeSlot({ metadata }: Luks2Header): number {
  for (let slot = 0; slot < KEYSLOTS_MAX; slot += 1) if (!metadata.keyslots.has(slot)) return slot;
  throw new DmError('ENOSPC', 'Cannot re-encrypt: All key slots full.');
}
