/** Room for the checksums or the journal in the header: the largest gap between the areas of key slots. Pure. */

import { DmError } from '../../../base/errors.ts';
import { type Luks2Header, wholeHeaderBytes } from '../header.ts';
import { AREA_ALIGNMENT_BYTES, KEYSLOTS_MAX } from '../limits.ts';

export interface Area {
  offsetBytes: number;
  lengthBytes: number;
}

/** Throws DmError ENOSPC when there is none. */
export function largestGap(header: Luks2Header): Area {
  const areas = [...header.metadata.keyslots.values()]
    .map(({ area }) => ({ from: Number(area.offset), to: Number(area.offset) + Number(area.size) }))
    .sort((left, right) => left.from - right.from);
  const end = wholeHeaderBytes(header);
  let from = 2 * header.headerBytes;
  let best: Area = { offsetBytes: 0, lengthBytes: 0 };
  for (const area of [...areas, { from: end, to: end }]) {
    const offsetBytes = Math.ceil(from / AREA_ALIGNMENT_BYTES) * AREA_ALIGNMENT_BYTES;
    const room = Math.max(0, area.from - offsetBytes);
    const lengthBytes = room - (room % AREA_ALIGNMENT_BYTES);
    if (lengthBytes > best.lengthBytes) best = { offsetBytes, lengthBytes };
    from = Math.max(from, area.to);
  }
  if (best.lengthBytes === 0) {
    throw new DmError('ENOSPC', 'Cannot re-encrypt: no room left in the key slots area');
  }
  return best;
}

/** Throws DmError ENOSPC when all are taken. */
export function freeSlot(header: Luks2Header): number {
  for (let slot = 0; slot < KEYSLOTS_MAX; slot += 1) {
    if (!header.metadata.keyslots.has(slot)) return slot;
  }
  throw new DmError('ENOSPC', 'Cannot re-encrypt: All key slots full.');
}
