/** What happened to the disk, as it waits to be logged. */

import { sectorsToBytes } from '../../base/units.ts';
import { type Bio, BioFlag, Op } from '../../core/bio.ts';
import { WriteLogFlag } from '../../formats/write-log/layout.ts';

export interface LogEntry {
  /** Of the disk. */
  readonly sector: number;
  readonly sectorCount: number;
  /** Of `WriteLogFlag`. */
  readonly flags: number;
  /** A copy of what was written; null: zeros, or nothing. */
  readonly data: Uint8Array | null;
  readonly mark?: string;
  /** What it counts for in memory. */
  readonly costBytes: number;
}

/** Of an entry without its data. */
const ENTRY_COST_BYTES = 256;

/** What the entry of a bio will count for. */
export function costOf(bio: Bio): number {
  return ENTRY_COST_BYTES + (bio.op === Op.write ? bio.lengthBytes : 0);
}

/** Of a bio that ended and whose data are still there. */
export function entryOf(bio: Bio): LogEntry {
  const { op, sector, sectorCount } = bio;
  if (op === Op.flush) return flushEntry;
  const fua = bio.flags & BioFlag.fua ? WriteLogFlag.fua : 0;
  const discard = op === Op.discard ? WriteLogFlag.discard : 0;
  const costBytes = costOf(bio);
  return { sector, sectorCount, flags: fua | discard, data: dataOf(bio), costBytes };
}

const flushEntry: LogEntry = {
  sector: 0,
  sectorCount: 0,
  flags: WriteLogFlag.flush,
  data: null,
  costBytes: ENTRY_COST_BYTES,
};

function dataOf(bio: Bio): Uint8Array | null {
  if (bio.op !== Op.write) return null;
  // Not `slice`, which is no copy of a Buffer.
  return new Uint8Array(bio.data.subarray(bio.dataOffset, bio.dataOffset + bio.lengthBytes));
}

export function markEntry(mark: string): LogEntry {
  const place = { sector: 0, sectorCount: 0 };
  return { ...place, flags: WriteLogFlag.mark, data: null, mark, costBytes: 0 };
}

/** How much of the log device its data take. */
export function loggedBytes(entry: LogEntry): number {
  return entry.flags & WriteLogFlag.discard ? 0 : sectorsToBytes(entry.sectorCount);
}
