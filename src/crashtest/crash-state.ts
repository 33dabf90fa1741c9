/**
 * One way in which the disk may be after a power cut, and the word that names it.
 *
 * The word, e.g. `412:405-407,409@0-7+16-23`: the power failed when the entries before 412 had ended; of what could be lost, 405 to 407 are
 * there, in this order, then of 409 only its sectors 0 to 7 and 16 to 23. `412:none` and `412:all` say so. It means the same with the same log
 * forever: no seed, no options.
 */

import { DmError } from '../base/errors.ts';
import type { LogWindows } from './log-windows.ts';
import type { SectorRange } from './places.ts';

export interface Survivor {
  /** Of the entry. */
  readonly number: number;
  /** What of it is on the disk, in order and apart; null: all of it. */
  readonly kept: readonly SectorRange[] | null;
}

export interface CrashState {
  /** So many entries had ended when the power failed. */
  readonly point: number;
  /** Of what could be lost, what was not, in the order in which it reached the disk. */
  readonly survivors: readonly Survivor[];
}

/** Nothing is lost. */
export function wholeState(windows: LogWindows, point: number): CrashState {
  return { point, survivors: windows.losable(point).map(whole) };
}

export function whole(number: number): Survivor {
  return { number, kept: null };
}

export function formatState(windows: LogWindows, { point, survivors }: CrashState): string {
  if (survivors.length === 0) return `${point}:none`;
  const losable = windows.losable(point);
  const isAll =
    survivors.length === losable.length &&
    survivors.every(({ number, kept }, index) => kept === null && number === losable[index]);
  if (isAll) return `${point}:all`;
  const words: string[] = [];
  for (let index = 0; index < survivors.length; ) {
    const first = survivors[index]!;
    const length = runLength(windows, survivors, index);
    words.push(
      length === 1 ? survivorWord(first) : rangeWord(first, survivors[index + length - 1]!),
    );
    index += length;
  }
  return `${point}:${words.join(',')}`;
}

/** How many from `index` on are whole, and the next that could be lost behind the one before. */
function runLength({ log }: LogWindows, survivors: readonly Survivor[], index: number): number {
  if (survivors[index]!.kept !== null) return 1;
  let length = 1;
  for (;;) {
    const next = survivors[index + length];
    let number = survivors[index + length - 1]!.number + 1;
    while (number < log.entries.length && !log.entries.isLosable(number)) number += 1;
    if (next?.kept !== null || next.number !== number) return length;
    length += 1;
  }
}

function rangeWord(first: Survivor, last: Survivor): string {
  return `${first.number}-${last.number}`;
}

function survivorWord({ number, kept }: Survivor): string {
  if (kept === null) return String(number);
  const ranges = kept.map(({ start, end }) =>
    end - start === 1 ? String(start) : `${start}-${end - 1}`,
  );
  return `${number}@${ranges.join('+')}`;
}

/** Throws DmError EINVAL for what is no state of this log. */
export function parseState(windows: LogWindows, word: string): CrashState {
  const [, pointText = '', rest = ''] =
    /^(\d{1,15}):([a-z\d@,+-]+)$/.exec(word) ?? refuse(word, 'expected e.g. 412:405-407,409@0-7');
  const point = Number(pointText);
  const { length } = windows.log.entries;
  if (point > length) refuse(word, `the log has ${length} entries, and it names ${point}`);
  if (rest === 'all') return wholeState(windows, point);
  if (rest === 'none') return { point, survivors: [] };
  const losable = windows.losable(point);
  const survivors = rest.split(',').flatMap((part) => parseSurvivors(windows, losable, part, word));
  if (new Set(survivors.map(({ number }) => number)).size < survivors.length) {
    refuse(word, 'an entry is named twice');
  }
  return { point, survivors };
}

function parseSurvivors(
  windows: LogWindows,
  losable: readonly number[],
  part: string,
  word: string,
): Survivor[] {
  const [, firstText, lastText, keptText] =
    /^(\d{1,15})(?:-(\d{1,15})|@([\d+-]+))?$/.exec(part) ??
    refuse(word, `"${part}" names no entries`);
  const first = Number(firstText);
  const last = lastText === undefined ? first : Number(lastText);
  for (const number of [first, last]) {
    if (!losable.includes(number))
      refuse(word, `entry ${number} is nothing that can be lost there`);
  }
  if (keptText !== undefined) {
    const { sectorCount } = windows.log.entries.at(first);
    return [
      {
        number: first,
        kept: keptText.split('+').map((range) => parseRange(range, sectorCount, word)),
      },
    ];
  }
  return losable.filter((number) => number >= first && number <= last).map(whole);
}

function parseRange(text: string, sectorCount: number, word: string): SectorRange {
  const [, firstText, lastText = firstText] =
    /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(text) ?? refuse(word, `"${text}" names no sectors`);
  const start = Number(firstText);
  const end = Number(lastText) + 1;
  if (start < end && end <= sectorCount) return { start, end };
  return refuse(word, `"${text}" lies outside the ${sectorCount} sectors of its entry`);
}

function refuse(word: string, reason: string): never {
  throw new DmError('EINVAL', `Cannot use the state "${word}": ${reason}`);
}
