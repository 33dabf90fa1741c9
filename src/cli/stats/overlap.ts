/** Regions of a group that overlap count some requests twice, which dmstats warns of. */

import type { Region } from './model.ts';

interface Extent {
  id: number;
  start: bigint;
  end: bigint;
}

/** Overlapping neighbours are joined as they are found, until no two overlap. */
export function overlapWarnings(regions: readonly Region[]): string[] {
  const extents: Extent[] = regions
    .map(({ id, start, length }) => ({ id, start, end: start + length }))
    .sort((one, other) => (one.start < other.start ? -1 : one.start > other.start ? 1 : 0));
  const warnings: string[] = [];
  for (let index = 0; index + 1 < extents.length; index += 1) {
    const [extent, next] = [extents[index]!, extents[index + 1]!];
    if (extent.end - 1n <= next.start) continue;
    warnings.push(
      `WARNING: region IDs ${extent.id} and ${next.id} overlap. Some events will be counted twice.`,
    );
    if (extent.end > next.end) [next.id, next.end] = [extent.id, extent.end];
    next.start = extent.start;
  }
  return warnings;
}
