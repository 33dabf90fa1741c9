import { describe, expect, test } from 'vitest';
import { WriteLogFlag } from '../../formats/write-log/layout.ts';
import { WriteLog } from '../../formats/write-log/write-log.ts';
import { findRange } from './entry-range.ts';
import { entryLine, jsonPieces, summaryLine } from './entry-text.ts';
import { checkOptions, type ReplayOptions, readCheckTime, readNumber } from './options.ts';
import { neededBytes } from './replayer.ts';

const { flush, fua, mark, discard } = WriteLogFlag;

/** W0 flush1 mark:a2 FUA3 D4 mark:b5 W6 mark:a7 flush8 W9 */
function exampleLog(): WriteLog {
  const log = new WriteLog({ sectorBytes: 4096, countedEntries: 10 });
  const write = (sector: number, flags = 0) => log.add({ sector, sectorCount: 8, flags });
  const bare = (flags: number, text?: string) =>
    log.add({ sector: 0, sectorCount: 0, flags, mark: text });
  write(0);
  bare(flush);
  bare(mark, 'a');
  write(16, fua);
  log.add({ sector: 800, sectorCount: 800, flags: discard });
  bare(mark, 'b\x1b[2J');
  write(8);
  bare(mark, 'a');
  bare(flush);
  write(64);
  return log;
}

const DEFAULTS: ReplayOptions = { verbose: 0, discard: true };

describe('a range', () => {
  test.each<[string, Partial<ReplayOptions>, [number, number, boolean]]>([
    ['of all', {}, [0, 10, false]],
    ['from an entry', { startEntry: 4 }, [4, 10, false]],
    ['from a mark', { startMark: 'a' }, [3, 10, false]],
    ['to a mark', { endMark: 'a' }, [0, 3, true]],
    ['to a mark behind the start', { startEntry: 3, endMark: 'a' }, [3, 8, true]],
    ['between equal marks', { startMark: 'a', endMark: 'a' }, [3, 8, true]],
    ['to a flush', { nextFlush: true }, [0, 2, true]],
    ['to the next flush', { nextFlush: true, startEntry: 2 }, [2, 9, true]],
    ['to a FUA write', { nextFua: true }, [0, 4, true]],
    ['to either', { nextFua: true, nextFlush: true, startEntry: 2 }, [2, 4, true]],
    ['to a flush that is not there', { nextFlush: true, startEntry: 9 }, [9, 10, false]],
    ['of some', { limit: 4 }, [0, 4, true]],
    ['of just as many as there are', { limit: 7, startEntry: 3 }, [3, 10, true]],
    ['of more than there are', { limit: 8, startEntry: 3 }, [3, 10, false]],
    ['of some, or to a mark', { limit: 2, endMark: 'a' }, [0, 2, true]],
    ['of no limit', { limit: 0 }, [0, 10, false]],
  ])('%s', (_, options, [first, end, isBounded]) => {
    expect(findRange(exampleLog(), { ...DEFAULTS, ...options })).toEqual({ first, end, isBounded });
  });

  test.each<[Partial<ReplayOptions>, RegExp, RegExp]>([
    [{ startEntry: 10 }, /Invalid entry number: expected one below 10, got 10/, /lists/],
    [{ startMark: 'c' }, /Couldn't find start mark "c"/, /marks of the log: "a", "b\?\[2J", "a"/],
    [{ endMark: 'b' }, /Couldn't find end mark "b"/, /"a"/],
    [{ endMark: 'a', startEntry: 8 }, /end mark "a"/, /no mark in the log from entry 8 on/],
  ])('%o is refused', (options, message, detail) => {
    const refusal = () => findRange(exampleLog(), { ...DEFAULTS, ...options });
    expect(refusal).toThrow(message);
    expect(refusal).toThrow(
      expect.objectContaining({ details: [expect.stringMatching(detail) as string] }) as Error,
    );
  });
});

describe('text', () => {
  test('has what replay-log prints, and no control characters', () => {
    const log = exampleLog();
    expect(summaryLine(log)).toBe('Log version=1, sectorsize=4096, entries=10');
    expect([3, 4, 5, 8, 9].map((entry) => entryLine(log, entry))).toEqual([
      '3@6: sector 16, size 4096, flags 0x2(FUA)',
      '4@8: sector 800, size 409600, flags 0x4(DISCARD)',
      '5@9: sector 0, size 0, flags 0x8(MARK), mark "b?[2J"',
      '8@13: sector 0, size 0, flags 0x1(FLUSH)',
      '9@14: sector 64, size 4096, flags 0x0(NONE)',
    ]);
  });

  test('as JSON is one object', () => {
    const text = [...jsonPieces(exampleLog(), { first: 2, end: 4, isBounded: true })].join('');
    expect(JSON.parse(text)).toMatchObject({
      version: 1,
      entryCount: 10,
      diskSectors: 1600,
      tear: null,
      entries: [
        { entry: 2, kind: 'mark', mark: 'a' },
        { entry: 3, kind: 'write', sector: 16, flags: ['fua'] },
      ],
    });
  });
});

describe('words', () => {
  test('numbers are decimal or hexadecimal', () => {
    expect(['12', '0x1F', '', '-1', '1e3', '99999999999999999999'].map(readNumber)).toEqual([
      12,
      31,
      null,
      null,
      null,
      null,
    ]);
    expect(['flush', 'fua', 'mark', '3', '0', 'x'].map(readCheckTime)).toEqual([
      'flush',
      'fua',
      'mark',
      3,
      null,
      null,
    ]);
  });

  test.each<[string | undefined, Partial<ReplayOptions>, RegExp]>([
    [undefined, {}, /Which log/],
    ['a', { log: 'b' }, /Two logs/],
    ['a', { fsck: 'true', replay: 'd' }, /--fsck needs --check/],
    ['a', { check: 'flush', replay: 'd' }, /--check needs --fsck/],
    ['a', { fsck: 'true', check: 1 }, /--fsck needs --replay/],
    ['a', { startEntry: 1, startMark: 'x' }, /both say where to begin/],
    ['a', { find: true, replay: 'x' }, /different things/],
  ])('%s with %o are refused', (operand, options, message) => {
    expect(() => checkOptions(operand, { ...DEFAULTS, ...options })).toThrow(message);
  });
});

test('a disk must reach behind what is replayed, and no further', () => {
  const log = exampleLog();
  const range = { first: 0, end: 10, isBounded: false };
  expect(neededBytes(log, range, DEFAULTS)).toBe(1600 * 512);
  expect(neededBytes(log, range, { ...DEFAULTS, discard: false })).toBe(72 * 512);
  expect(neededBytes(log, { ...range, end: 4 }, DEFAULTS)).toBe(24 * 512);
  expect(neededBytes(log, range, { ...DEFAULTS, endSector: 63 })).toBe(24 * 512);
});
