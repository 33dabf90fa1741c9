/**
 * In which order what ended goes to the log. Pure: no I/O, no time.
 * Source: Documentation/admin-guide/device-mapper/log-writes.rst
 *
 * - A write or discard waits until a flush that was sent after it ended has ended; then the log has the writes first and the flush behind them.
 * - A write with FUA goes to the log when it ends.
 * - What ended only after the flush was sent waits for the next one: the flush need not have covered it.
 */

import type { Bio } from '../../core/bio.ts';
import { WriteLogFlag } from '../../formats/write-log/layout.ts';
import type { LogEntry } from './log-entry.ts';

export class CompletionOrder {
  readonly #log: (entry: LogEntry) => void;
  /** In the order in which they ended. */
  #unflushed: LogEntry[] = [];
  /** What each flush under way makes durable. */
  readonly #carried = new Map<Bio, LogEntry[]>();

  constructor(log: (entry: LogEntry) => void) {
    this.#log = log;
  }

  flushSent(flush: Bio): void {
    this.#carried.set(flush, this.#unflushed);
    this.#unflushed = [];
  }

  flushEnded(flush: Bio, entry: LogEntry): void {
    const carried = this.#carried.get(flush);
    if (carried === undefined) return;
    this.#carried.delete(flush);
    for (const each of carried) this.#log(each);
    this.#log(entry);
  }

  writeEnded(entry: LogEntry): void {
    if (entry.flags & WriteLogFlag.fua) this.#log(entry);
    else this.#unflushed.push(entry);
  }

  /** No flush that is under way could be taken for one that covers what waits. */
  get mayGoEarly(): boolean {
    return this.#carried.size === 0;
  }

  /** Logs what waits for a flush without one. */
  release(): void {
    const unflushed = this.#unflushed;
    this.#unflushed = [];
    for (const entry of unflushed) this.#log(entry);
  }
}
