/** I/O counters of one mapped device, as /proc/diskstats has them. One writer each; a reader on another thread sees them at worst a moment old. */

import { type Bio, Op } from './bio.ts';

export interface IoCounts {
  reads: number;
  readSectors: number;
  readMs: number;
  writes: number;
  writeSectors: number;
  writeMs: number;
  discards: number;
  discardSectors: number;
  discardMs: number;
  flushes: number;
  flushMs: number;
  inFlight: number;
}

const FIELDS: readonly (keyof IoCounts)[] = [
  'reads',
  'readSectors',
  'readMs',
  'writes',
  'writeSectors',
  'writeMs',
  'discards',
  'discardSectors',
  'discardMs',
  'flushes',
  'flushMs',
  'inFlight',
];

/** Index of the first of the three counters of an op: flush has no sectors and keeps its time at the next place. */
const READ = 0;
const WRITE = 3;
const DISCARD = 6;
const FLUSH = 9;
const IN_FLIGHT = 11;

export const STATISTICS_BYTES = FIELDS.length * Float64Array.BYTES_PER_ELEMENT;

export class IoStatistics {
  readonly counters: Float64Array;

  /** Over memory of one's own, or shared so that another thread can read it. */
  constructor(
    memory: ArrayBuffer | SharedArrayBuffer = new ArrayBuffer(STATISTICS_BYTES),
    offsetBytes = 0,
  ) {
    this.counters = new Float64Array(memory, offsetBytes, FIELDS.length);
  }

  begin(): void {
    this.counters[IN_FLIGHT]! += 1;
  }

  /** Counts what another counted, but not what it has in flight. */
  add(other: IoStatistics): void {
    for (let index = 0; index < IN_FLIGHT; index += 1) {
      this.counters[index]! += other.counters[index]!;
    }
  }

  /** A bio that was begun goes back to a queue instead of ending. */
  withdraw(): void {
    this.counters[IN_FLIGHT]! -= 1;
  }

  finish(bio: Bio): void {
    this.counters[IN_FLIGHT]! -= 1;
    this.#count(bio.op, bio.sectorCount, bio.endMs - bio.startMs, 1);
  }

  /** Takes back what `finish` counted, for a bio that is done again where it is counted anew. */
  revoke(op: Op, sectorCount: number, durationMs: number): void {
    this.#count(op, sectorCount, durationMs, -1);
  }

  #count(op: Op, sectorCount: number, durationMs: number, times: 1 | -1): void {
    const counters = this.counters;
    if (op === Op.blockStatus) return;
    if (op === Op.flush) {
      counters[FLUSH]! += times;
      counters[FLUSH + 1]! += times * durationMs;
      return;
    }
    const base = op === Op.read ? READ : op === Op.discard ? DISCARD : WRITE;
    counters[base]! += times;
    counters[base + 1]! += times * sectorCount;
    counters[base + 2]! += times * durationMs;
  }
}

/** The sum of what several threads counted for one device. */
export function sumStatistics(parts: Iterable<IoStatistics>): IoCounts {
  const sum = Object.fromEntries(FIELDS.map((field) => [field, 0])) as unknown as IoCounts;
  for (const { counters } of parts) {
    FIELDS.forEach((field, index) => {
      sum[field] += counters[index]!;
    });
  }
  return sum;
}
