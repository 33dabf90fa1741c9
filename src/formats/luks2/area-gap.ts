/** Where in the key slots area a new slot's area goes: the first gap that is large enough, as cryptsetup does it. */

import { AREA_ALIGNMENT_BYTES, splitKeyBytes } from './limits.ts';
import type { Luks2Metadata } from './metadata.ts';

export interface AreaPlace {
  offsetBytes: number;
  sizeBytes: number;
}

/** What an area for a key takes, in whole blocks of 4 KiB. */
export function areaBytesFor(keyBytes: number): number {
  return Math.ceil(splitKeyBytes(keyBytes) / AREA_ALIGNMENT_BYTES) * AREA_ALIGNMENT_BYTES;
}

/** All gaps, in order. `headerBytes`: of one copy. */
export function areaGaps(metadata: Luks2Metadata, headerBytes: number): AreaPlace[] {
  const areas = [...metadata.keyslots.values()]
    .map(({ area }) => ({ offsetBytes: Number(area.offset), sizeBytes: Number(area.size) }))
    .sort((one, other) => one.offsetBytes - other.offsetBytes);
  const endBytes = 2 * headerBytes + Number(metadata.config.keyslots_size);
  const gaps: AreaPlace[] = [];
  let offsetBytes = 2 * headerBytes;
  for (const area of [...areas, { offsetBytes: endBytes, sizeBytes: 0 }]) {
    const sizeBytes = area.offsetBytes - offsetBytes;
    if (sizeBytes > 0) gaps.push({ offsetBytes, sizeBytes });
    // Areas of volumes converted from LUKS1 may end anywhere.
    const areaEndBytes = area.offsetBytes + area.sizeBytes;
    offsetBytes = Math.ceil(areaEndBytes / AREA_ALIGNMENT_BYTES) * AREA_ALIGNMENT_BYTES;
  }
  return gaps;
}

/** null: no gap is large enough. */
export function findAreaGap(
  metadata: Luks2Metadata,
  headerBytes: number,
  keyBytes: number,
): AreaPlace | null {
  const sizeBytes = areaBytesFor(keyBytes);
  const gap = areaGaps(metadata, headerBytes).find((place) => place.sizeBytes >= sizeBytes);
  return gap ? { offsetBytes: gap.offsetBytes, sizeBytes } : null;
}
