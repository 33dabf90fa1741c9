/**
 * A log, cut where everything before is durable: what can be lost in a power cut is always of one window.
 *
 * Window `n` has the entries [starts[n], starts[n + 1]). It begins with an entry that flushes, or behind one with FUA that had nothing left to
 * be lost before it. A crash point is a number of entries: those before it had ended when the power failed.
 */

import { assert } from '../base/assert.ts';
import { countBelow } from './count-below.ts';
import type { CrashLog } from './crash-log.ts';
import type { EntryList } from './entry-list.ts';

export class LogWindows {
  readonly log: CrashLog;
  /** Of each window, and behind the last one the number of entries. */
  readonly #starts: readonly number[];

  constructor(log: CrashLog) {
    this.log = log;
    this.#starts = windowStarts(log.entries);
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
    return Math.max(countBelow(this.#starts, point, this.count) - 1, 0);
  }

  /** Entries that must be there whole after a crash at `point`: the first so many, and those with FUA. */
  flushedCount(point: number): number {
    return this.start(this.at(point));
  }

  /** What a crash at `point` may lose, in the log's order. */
  losable(point: number): number[] {
    const { entries } = this.log;
    const numbers: number[] = [];
    for (let number = this.flushedCount(point); number < point; number += 1) {
      if (entries.isLosable(number)) numbers.push(number);
    }
    return numbers;
  }

  /** Writes with FUA among the entries [start, point), which a crash at `point` cannot lose. */
  forced(start: number, point: number): number[] {
    const { entries } = this.log;
    const numbers: number[] = [];
    for (let number = start; number < point; number += 1) {
      if (entries.isForced(number)) numbers.push(number);
    }
    return numbers;
  }

  /** A crash at its end can lose something. */
  canLose(window: number): boolean {
    const { entries } = this.log;
    for (let number = this.start(window); number < this.end(window); number += 1) {
      if (entries.isLosable(number)) return true;
    }
    return false;
  }

  /** The text of the last mark before `point`, or null. */
  markBefore(point: number): string | null {
    const { entries } = this.log;
    const number = entries.marks[countBelow(entries.marks, point) - 1];
    return number === undefined ? null : entries.at(number).text;
  }
}

/** Of each window, and behind the last one the number of entries. */
function windowStarts(entries: EntryList): number[] {
  const starts = [0];
  let canLose = false;
  for (let number = 0; number < entries.length; number += 1) {
    if (entries.flushes(number)) {
      if (number > starts.at(-1)!) starts.push(number);
      canLose = false;
    }
    if (entries.isLosable(number)) canLose = true;
    else if (entries.isForced(number) && !canLose && number + 1 < entries.length) {
      starts.push(number + 1);
    }
  }
  starts.push(entries.length);
  return starts;
}
