/** Which entries of a log are meant: from a number or a mark on, up to a mark, flush or FUA write, which belongs to them, or so many. */

import { WriteLogFlag } from '../../formats/write-log/layout.ts';
import type { WriteLog } from '../../formats/write-log/write-log.ts';
import { printable } from '../dmsetup/mangle.ts';
import { CommandError } from '../failure.ts';
import type { ReplayOptions } from './options.ts';

export interface EntryRange {
  first: number;
  /** Behind the last one. */
  end: number;
  /** What ended it was there: `--limit`, a mark, a flush; else it goes to the end of the log. */
  isBounded: boolean;
}

/** Throws a CommandError when there is no such entry or mark. */
export function findRange(log: WriteLog, options: ReplayOptions): EntryRange {
  const first = firstEntry(log, options);
  const last = lastEntry(log, first, options);
  if (last === null) return { first, end: log.entryCount, isBounded: false };
  return { first, end: last + 1, isBounded: true };
}

function firstEntry(log: WriteLog, { startEntry, startMark }: ReplayOptions): number {
  if (startMark !== undefined) return findMark(log, startMark, 0, 'start') + 1;
  const first = startEntry ?? 0;
  if (first === 0 || first < log.entryCount) return first;
  throw new CommandError(
    `Invalid entry number: expected one below ${log.entryCount}, got ${first}`,
    {
      details: ['devmapper replay LOG lists the entries'],
    },
  );
}

/** The one that ends it, whichever comes first; null: none does. */
function lastEntry(log: WriteLog, first: number, options: ReplayOptions): number | null {
  const { limit, endMark, nextFlush, nextFua } = options;
  const found: number[] = [];
  if (endMark !== undefined) found.push(findMark(log, endMark, first, 'end'));
  const flags = (nextFlush ? WriteLogFlag.flush : 0) | (nextFua ? WriteLogFlag.fua : 0);
  const flagged = flags === 0 ? -1 : log.findFlag(flags, first);
  if (flagged >= 0) found.push(flagged);
  if (limit !== undefined && limit > 0 && first + limit <= log.entryCount) {
    found.push(first + limit - 1);
  }
  return found.length === 0 ? null : Math.min(...found);
}

const SHOWN_MARKS = 8;

function findMark(log: WriteLog, text: string, from: number, which: 'start' | 'end'): number {
  const entry = log.findMark(text, from);
  if (entry >= 0) return entry;
  const marks = log.marks.filter((mark) => mark.entry >= from);
  const names = marks.slice(0, SHOWN_MARKS).map((mark) => `"${printable(mark.text)}"`);
  if (marks.length > SHOWN_MARKS) names.push('...');
  const where = from === 0 ? 'the log' : `the log from entry ${from} on`;
  throw new CommandError(`Couldn't find ${which} mark "${text}"`, {
    details: [
      names.length === 0
        ? `there is no mark in ${where}`
        : `marks of ${where}: ${names.join(', ')}`,
    ],
  });
}
