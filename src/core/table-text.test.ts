import { describe, expect, test } from 'vitest';
import { formatRowSpec, parseTable } from './table-text.ts';

const row = (start: number, length: number, type: string, params = '') => ({
  start,
  length,
  type,
  params,
});

test.each([
  ['0 8 zero', [row(0, 8, 'zero')]],
  ['  0\t8  linear  /dev/A   9  ', [row(0, 8, 'linear', '/dev/A   9')]],
  ['0 8 zero\r\n8 8 error\r\n', [row(0, 8, 'zero'), row(8, 8, 'error')]],
  ['\n# comment\n   \n\t# another\n0 8 zero\n', [row(0, 8, 'zero')]],
  ['0 8 zero # why', [row(0, 8, 'zero')]],
  ['0 8 linear A 0 #why', [row(0, 8, 'linear', 'A 0')]],
  // Inside a word it is a letter, and behind a backslash anywhere.
  ['0 8 linear mem:8K#a 0', [row(0, 8, 'linear', 'mem:8K#a 0')]],
  ['0 8 linear \\#a 0 # why', [row(0, 8, 'linear', '\\#a 0')]],
  ['0 8 linear a\\ #b 0', [row(0, 8, 'linear', 'a\\ #b 0')]],
  ['0 8 linear a\\\\ #b 0', [row(0, 8, 'linear', 'a\\\\')]],
  ['+0 +8 zero', [row(0, 8, 'zero')]],
  ['0 8zero', [row(0, 8, 'zero')]],
  ['0 8 abcdefghijklmno', [row(0, 8, 'abcdefghijklmno')]],
  ['', []],
])('reads %j', (text, rows) => {
  expect(parseTable(text)).toEqual(rows);
});

test.each([
  '0',
  '0 8',
  '0 8 ',
  'zero',
  'x 8 zero',
  '0 x zero',
  '010 zero',
  '0x1 8 zero',
  '- 8 zero',
])('refuses %j', (text) => {
  expect(() => parseTable(`# one\n${text}`)).toThrow(
    /^Invalid format on line 2 of table: expected/,
  );
});

test('refuses a type name that the ioctl cannot carry', () => {
  expect(() => parseTable('0 8 abcdefghijklmnop')).toThrow(
    /"abcdefghijklmnop" on line 1 .* at most 15/,
  );
  expect(() => parseTable('0 8 äöüäöüää')).toThrow(/is too long/);
});

test('numbers beyond all sizes stay beyond them', () => {
  expect(parseTable('-1 18446744073709551624 zero')[0]).toMatchObject({
    start: 2 ** 64,
    length: 2 ** 64,
  });
});

describe('formatRowSpec', () => {
  test.each(['0 8 zero', '8 16 linear A 0'])('writes %s', (line) => {
    expect(formatRowSpec(parseTable(line)[0]!)).toBe(line);
  });
});

test('a long line of blanks takes no time', () => {
  expect(parseTable(`0 8 zero${' '.repeat(200_000)}x`)).toHaveLength(1);
  expect(parseTable(' '.repeat(200_000))).toEqual([]);
});
