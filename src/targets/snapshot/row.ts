/** What the rows of the three targets have in common. */

import type { Bio } from '../../core/bio.ts';
import type { DeviceRange } from '../../core/device.ts';
import type { Limits } from '../../core/limits.ts';
import type { MapResult, TargetContext } from '../../core/target.ts';
import { printStore, type SnapshotLine } from './line.ts';
import type { SnapshotMember } from './member.ts';

/** Pieces of a row are counted from its start, chunks from the device's: so many sectors never cross either's border. */
export function pieceSectors(start: number, chunkSectors: number): number {
  let piece = Math.max(1, chunkSectors);
  while (start % piece !== 0) piece /= 2;
  return piece;
}

export function endWith(bio: Bio, error: number): MapResult {
  bio.endedBy = null;
  bio.end(error);
  return 'submitted';
}

/** The store is the one that is there: a table that took over from another may have asked for a different one. */
export function printTable(line: SnapshotLine, { snapshot, chunkSectors }: SnapshotMember): string {
  const { isPersistent } = snapshot?.store ?? line;
  const store = printStore({ ...line, isPersistent }, chunkSectors);
  return `${line.origin.operand} ${line.cow.operand} ${store}`;
}

export function snapshotRanges(
  { origin, cow }: SnapshotLine,
  { start, length }: TargetContext,
): DeviceRange[] {
  return [
    { device: origin, startSectors: start, lengthSectors: length },
    { device: cow, startSectors: 0, lengthSectors: cow.sizeSectors },
  ];
}

export function snapshotLimits(
  stacked: Limits,
  line: SnapshotLine,
  member: SnapshotMember,
): Limits {
  if (!line.discardZeroesCow) return { ...stacked, discardGranularityBytes: 0 };
  const chunkSectors = member.chunkSectors || line.chunkSectors || 1;
  // The kernel takes the chunk's sectors for bytes; what is discarded at once is right.
  const discardGranularityBytes = Math.max(chunkSectors, stacked.physicalBlockBytes);
  return { ...stacked, discardGranularityBytes, maxDiscardSectors: chunkSectors };
}
