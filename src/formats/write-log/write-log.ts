/**
 * What a write log holds, entry by entry, in typed arrays: 29 bytes for each and at most as much room again, so that millions are no burden. Made by `readWriteLog`.
 *
 * Sectors have 512 bytes here as everywhere, whatever the log counts in. The data stay where they are: `dataOffsetBytes` in the log.
 *
 * What is durable: the log has its entries in the order in which they were known to be on the disk (a write stands before the flush that
 * followed its completion, one with FUA where it completed). So had the power failed when the first `point` entries were there, then what stands before
 * the last flush among them must be on the disk, and every write with FUA; of the others any may be there or not.
 */

import { assert } from '../../base/assert.ts';
import type { FormatError } from '../../base/errors.ts';
import { sectorsToBytes } from '../../base/units.ts';
import { WriteLogFlag } from './layout.ts';

export type WriteLogEntryKind = 'write' | 'discard' | 'flush' | 'mark';

export interface WriteLogMark {
  readonly entry: number;
  readonly text: string;
}

/** `problem`: why there is nothing more to be read at `offsetBytes`. */
export interface WriteLogTear {
  readonly offsetBytes: number;
  readonly problem: FormatError;
}

/** One entry as it is added. */
export interface WriteLogEntry {
  readonly sector: number;
  readonly sectorCount: number;
  readonly flags: number;
  readonly mark?: string | undefined;
}

const FIRST_CAPACITY = 1024;

export class WriteLog {
  /** The unit of the log itself. */
  readonly sectorBytes: number;
  /** What the super block says; entries behind it are there when it was not written any more, or left over from an older log. */
  readonly countedEntries: number;
  /** Where the log cannot be read any more, though entries should follow; null: it is whole. */
  tear: WriteLogTear | null = null;
  /** Behind the last entry and its data. */
  endOffsetBytes: number;
  /** What the logged disk had at least: behind the last sector written or discarded. */
  diskSectors = 0;
  readonly #marks: WriteLogMark[] = [];
  readonly #textByEntry = new Map<number, string>();
  #count = 0;
  #sectors = new Float64Array(FIRST_CAPACITY);
  #sectorCounts = new Float64Array(FIRST_CAPACITY);
  #offsets = new Float64Array(FIRST_CAPACITY);
  #flags = new Uint8Array(FIRST_CAPACITY);
  /** For each entry the last one before it that flushes; -1: none. */
  #flushes = new Int32Array(FIRST_CAPACITY);

  constructor(options: { sectorBytes: number; countedEntries: number }) {
    this.sectorBytes = options.sectorBytes;
    this.countedEntries = options.countedEntries;
    this.endOffsetBytes = options.sectorBytes;
  }

  get entryCount(): number {
    return this.#count;
  }

  kind(entry: number): WriteLogEntryKind {
    const flags = this.flags(entry);
    if (flags & WriteLogFlag.mark) return 'mark';
    if (flags & WriteLogFlag.discard) return 'discard';
    return flags & WriteLogFlag.flush && this.#sectorCounts[entry] === 0 ? 'flush' : 'write';
  }

  /** Of `WriteLogFlag`. */
  flags(entry: number): number {
    assert(entry >= 0 && entry < this.#count, `entry ${entry} is one of ${this.#count}`);
    return this.#flags[entry]!;
  }

  /** On the disk that was logged. */
  sector(entry: number): number {
    return this.#sectors[entry]!;
  }

  sectorCount(entry: number): number {
    return this.#sectorCounts[entry]!;
  }

  /** Where in the log the entry itself lies. */
  entryOffsetBytes(entry: number): number {
    return this.#offsets[entry]!;
  }

  /** Where in the log the data of a write lie. */
  dataOffsetBytes(entry: number): number {
    return this.#offsets[entry]! + this.sectorBytes;
  }

  /** How much of them there is: nothing for discards, flushes and marks. */
  dataBytes(entry: number): number {
    return this.kind(entry) === 'write' ? sectorsToBytes(this.#sectorCounts[entry]!) : 0;
  }

  /** The text of a mark. It comes from the disk: whatever characters it likes. */
  mark(entry: number): string | null {
    return this.#textByEntry.get(entry) ?? null;
  }

  /** In their order. */
  get marks(): readonly WriteLogMark[] {
    return this.#marks;
  }

  /** The first mark with that text at `from` or behind it; -1: none. */
  findMark(text: string, from = 0): number {
    return this.#marks.find((mark) => mark.entry >= from && mark.text === text)?.entry ?? -1;
  }

  /** The first entry at `from` or behind it that has one of the flags; -1: none. */
  findFlag(flags: number, from = 0): number {
    for (let entry = from; entry < this.#count; entry += 1) {
      if (this.#flags[entry]! & flags) return entry;
    }
    return -1;
  }

  /**
   * The power failed when the first `point` entries were there: how many of them, counted from the start, must be on the disk whole.
   * Those behind may be there or not, but for the ones that `isDurable`.
   */
  flushedCount(point: number): number {
    assert(point >= 0 && point <= this.#count, `point ${point} lies in ${this.#count} entries`);
    if (point === 0) return 0;
    const last = point - 1;
    const flush = this.#flags[last]! & WriteLogFlag.flush ? last : this.#flushes[last]!;
    return Math.max(flush, 0);
  }

  /** Whether what the entry wrote must be on the disk had the power failed when the first `point` entries were there. */
  isDurable(entry: number, point: number): boolean {
    if (entry >= point) return false;
    return entry < this.flushedCount(point) || (this.flags(entry) & WriteLogFlag.fua) !== 0;
  }

  /** The writes and discards before `point` that may be lost, in their order. */
  volatileEntries(point: number): number[] {
    const entries: number[] = [];
    for (let entry = this.flushedCount(point); entry < point; entry += 1) {
      const flags = this.#flags[entry]!;
      if (flags & (WriteLogFlag.fua | WriteLogFlag.mark)) continue;
      if (this.#sectorCounts[entry]! > 0) entries.push(entry);
    }
    return entries;
  }

  /** Behind all others. For whoever reads a log, or writes one and wants to know what is in it. */
  add({ sector, sectorCount, flags, mark }: WriteLogEntry): void {
    if (this.#count === this.#flags.length) this.#grow();
    const entry = this.#count;
    this.#count += 1;
    this.#sectors[entry] = sector;
    this.#sectorCounts[entry] = sectorCount;
    this.#flags[entry] = flags;
    this.#offsets[entry] = this.endOffsetBytes;
    this.#flushes[entry] = this.#flushBefore(entry);
    this.endOffsetBytes += this.sectorBytes + this.dataBytes(entry);
    if (mark !== undefined) {
      this.#marks.push({ entry, text: mark });
      this.#textByEntry.set(entry, mark);
    }
    if (sectorCount > 0) this.diskSectors = Math.max(this.diskSectors, sector + sectorCount);
  }

  #flushBefore(entry: number): number {
    if (entry === 0) return -1;
    return this.#flags[entry - 1]! & WriteLogFlag.flush ? entry - 1 : this.#flushes[entry - 1]!;
  }

  #grow(): void {
    const capacity = this.#count * 2;
    this.#sectors = grown(this.#sectors, new Float64Array(capacity));
    this.#sectorCounts = grown(this.#sectorCounts, new Float64Array(capacity));
    this.#offsets = grown(this.#offsets, new Float64Array(capacity));
    this.#flags = grown(this.#flags, new Uint8Array(capacity));
    this.#flushes = grown(this.#flushes, new Int32Array(capacity));
  }
}

function grown<T extends Float64Array | Uint8Array | Int32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
