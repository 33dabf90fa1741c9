/**
 * A log, cut where everything before is durable: what can be lost in a power cut is always of one window.
 *
 * Window `n` has the entries [starts[n], starts[n + 1]). It begins with an entry that flushes, or behind one with FUA that had nothing left to
 * be lost before it. A crash point is a number of entries: those before it had ended when the power failed.
 */

import { assert } from '../base/assert.ts';
import { type CrashLog, changesSectors } from './crash-log.ts';

export class LogWindows {
  readonly log: CrashLog;
  /** Of each window, and behind the last one the number of entries. */
  readonly #starts: readonly number[];

  constructor(log: CrashLog) {
    this.log = log;
    this.#starts = windowStarts(log);
  }

  get count(): number {
    return this.#starts.length - 1;
  }

  start(window: number): number {
    return this.#starts[window]!;
  }

  /** Behind its last entry: at this point what makes it durable had not ended yet. */
  end(window: number): number {
    return this.#starts[window + 1]!;
  }

  /** The window that a crash at `point` cuts: its first entry is among those that ended. */
  at(point: number): number {
    assert(point >= 0 && point <= this.log.entries.length, `point ${point} lies in the log`);
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#starts[middle]! < point) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Entries that must be there whole after a crash at `point`: the first so many, and those with FUA. */
  flushedCount(point: number): number {
    return this.start(this.at(point));
  }

  /** What a crash at `point` may lose, in the log's order. */
  losable(point: number): number[] {
    return this.#select(point, (fua) => !fua);
  }

  /** Writes with FUA of the same window, which a crash at `point` cannot lose. */
  forced(point: number): number[] {
    return this.#select(point, (fua) => fua);
  }

  #select(point: number, wanted: (fua: boolean) => boolean): number[] {
    const numbers: number[] = [];
    for (let number = this.flushedCount(point); number < point; number += 1) {
      const entry = this.log.entries[number]!;
      if (changesSectors(entry) && wanted(entry.fua)) numbers.push(number);
    }
    return numbers;
  }

  /** The text of the last mark before `point`, or null. */
  markBefore(point: number): string | null {
    for (let number = point - 1; number >= 0; number -= 1) {
      const entry = this.log.entries[number]!;
      if (entry.kind === 'mark') return entry.text;
    }
    return null;
  }
}

/** Of each window, and behind the last one the number of entries. */
function windowStarts({ entries }: CrashLog): number[] {
  const starts = [0];
  let canLose = false;
  entries.forEach((entry, number) => {
    if (entry.flush && number > starts.at(-1)!) starts.push(number);
    if (entry.flush) canLose = false;
    if (!changesSectors(entry)) return;
    if (!entry.fua) canLose = true;
    else if (!canLose && number + 1 < entries.length) starts.push(number + 1);
  });
  starts.push(entries.length);
  return starts;
}
