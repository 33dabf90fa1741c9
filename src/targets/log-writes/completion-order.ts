/**
 * In which order what ended goes to the log. Pure: no I/O, no time.
 * Source: Documentation/admin-guide/device-mapper/log-writes.rst
 *
 * - A write or discard waits until a flush that was sent after it ended has ended; then the log has the writes first and the flush behind them.
 * - A write with FUA goes to the log when it ends.
 * - What ended only after the flush was sent waits for the next one: the flush need not have covered it.
 *
 * Beyond the kernel, so that a replay of all of it gives what is on the disk: where a write with FUA overwrote what still waits, that part of
 * it is never logged, since it would come behind the newer data; and a flush that ends before one that was sent earlier logs what that one waited for too.
 */

import { sectorsToBytes } from '../../base/units.ts';
import type { Bio } from '../../core/bio.ts';
import { WriteLogFlag } from '../../formats/write-log/layout.ts';
import type { LogEntry } from './log-entry.ts';

export interface CompletionOrderOptions {
  log: (entry: LogEntry) => void;
  /** Never to be logged. */
  drop: (entry: LogEntry) => void;
}

export class CompletionOrder {
  readonly #options: CompletionOrderOptions;
  /** In the order in which they ended. */
  #unflushed: LogEntry[] = [];
  /** What each flush under way makes durable, in the order in which they were sent. */
  readonly #carried = new Map<Bio, LogEntry[]>();

  constructor(options: CompletionOrderOptions) {
    this.#options = options;
  }

  flushSent(flush: Bio): void {
    this.#carried.set(flush, this.#unflushed);
    this.#unflushed = [];
  }

  flushEnded(flush: Bio, entry: LogEntry): void {
    if (!this.#carried.has(flush)) return;
    for (const [sent, carried] of this.#carried) {
      this.#logAll(carried);
      this.#carried.set(sent, []);
      if (sent === flush) break;
    }
    this.#carried.delete(flush);
    this.#options.log(entry);
  }

  writeEnded(entry: LogEntry): void {
    if ((entry.flags & WriteLogFlag.fua) === 0) {
      this.#unflushed.push(entry);
      return;
    }
    for (const [sent, carried] of this.#carried) this.#carried.set(sent, this.#cut(carried, entry));
    this.#unflushed = this.#cut(this.#unflushed, entry);
    this.#options.log(entry);
  }

  /** No flush that is under way could be taken for one that covers what waits. */
  get mayGoEarly(): boolean {
    return this.#carried.size === 0;
  }

  /** Logs what waits for a flush without one. */
  release(): void {
    const unflushed = this.#unflushed;
    this.#unflushed = [];
    this.#logAll(unflushed);
  }

  #logAll(entries: readonly LogEntry[]): void {
    for (const entry of entries) this.#options.log(entry);
  }

  /** The entries without what `newer` overwrote. */
  #cut(entries: LogEntry[], newer: LogEntry): LogEntry[] {
    if (!entries.some((entry) => overlaps(entry, newer))) return entries;
    return entries.flatMap((entry) => {
      if (!overlaps(entry, newer)) return entry;
      const pieces = remainder(entry, newer);
      if (pieces.length === 0) this.#options.drop(entry);
      return pieces;
    });
  }
}

function overlaps(a: LogEntry, b: LogEntry): boolean {
  return a.sector < endOf(b) && b.sector < endOf(a);
}

function endOf({ sector, sectorCount }: LogEntry): number {
  return sector + sectorCount;
}

/** What lies before and behind; together they cost what the whole did. */
function remainder(entry: LogEntry, newer: LogEntry): LogEntry[] {
  const pieces: LogEntry[] = [];
  if (entry.sector < newer.sector) pieces.push(part(entry, entry.sector, newer.sector));
  if (endOf(newer) < endOf(entry)) pieces.push(part(entry, endOf(newer), endOf(entry)));
  return pieces.map((piece, index) => (index === 0 ? piece : { ...piece, costBytes: 0 }));
}

function part(entry: LogEntry, sector: number, end: number): LogEntry {
  const from = sectorsToBytes(sector - entry.sector);
  const data = entry.data?.subarray(from, sectorsToBytes(end - entry.sector)) ?? null;
  return { ...entry, sector, sectorCount: end - sector, data };
}
