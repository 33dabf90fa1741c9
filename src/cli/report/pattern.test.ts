import { describe, expect, test } from 'vitest';
import { compilePattern, MAX_PATTERN_LENGTH, PatternError } from './pattern.ts';

const names = ['', 'base', 'both', 'none', 'other2', 'top', 'vg--x', 'we ird'];

describe('what patterns match', () => {
  // As dmsetup 1.02.185 answered.
  const cases: readonly [pattern: string, matching: string[]][] = [
    ['b', ['base', 'both']],
    ['^b', ['base', 'both']],
    ['e$', ['base', 'none']],
    ['^$', ['']],
    ['.', names],
    ['^(base|top)$', ['base', 'top']],
    ['^.o', ['both', 'none', 'top']],
    ['[a-m]o', ['both']],
    ['[^a-m]o', ['none', 'other2', 'top']],
    ['b+o?t', ['both']],
    ['a**', names],
    ['to{1}p', []],
    ['vg\\-\\-x', ['vg--x']],
    ['\\w', ['we ird']],
    ['other[0-9]', ['other2']],
    ['\\.o', []],
    ['[]b]', []],
    ['[\\]b]a', ['base']],
    ['[m-a]ase', ['base']],
    ['[-b]ase', ['base']],
    ['.base.', ['base']],
    ['\\n', []],
    ['x|y', ['vg--x']],
    ['a.*e', ['base']],
    ['(t|h)+(e|h)', ['both', 'other2']],
    ['(b|v)(a|g|o)(se|t)?', ['base', 'both', 'vg--x']],
    ['no*n*e', ['none']],
  ];
  test.each(cases)('%s', (pattern, matching) => {
    expect(names.filter(compilePattern(pattern))).toEqual(matching);
  });
});

describe('what is refused', () => {
  const cases = [
    '',
    '[',
    '(',
    ')',
    '*',
    'a|',
    '|a',
    'a||b',
    '()',
    '[b-]a',
    '(a',
    'a)',
    '\\',
    '[a-',
  ];
  test.each(cases)('%s', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow(PatternError);
  });

  test('more than there can be', () => {
    expect(() => compilePattern('a'.repeat(MAX_PATTERN_LENGTH + 1))).toThrow(/at most 4096/);
    expect(() => compilePattern('('.repeat(MAX_PATTERN_LENGTH))).toThrow(/nested/);
    expect(() => compilePattern(`${'a|'.repeat(2000)}b`)).not.toThrow();
  });
});

test('repetitions in repetitions take no time', () => {
  const isMatch = compilePattern(`${'(a*)*'.repeat(20)}b`);
  expect(isMatch('a'.repeat(2000))).toBe(false);
});
