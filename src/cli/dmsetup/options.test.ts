import { describe, expect, it } from 'vitest';
import { parseWords } from './getopt.ts';
import { collectOptions, OPTIONS } from './options.ts';

function collect(...words: string[]) {
  return collectOptions(parseWords(words, OPTIONS).options);
}

describe('collectOptions', () => {
  it('counts verbose, reads numbers, takes the last of several', () => {
    const options = collect('-vv', '--uuid', 'a', '-u', 'b', '-j', '252', '-m', '7', '-n');
    expect(options).toEqual({ verbose: 2, uuid: 'b', major: 252, minor: 7, notable: true });
  });

  it.each([
    [['-m', '3'], 'Please specify both major number and minor number.'],
    [['-j', '252'], 'Please specify both major number and minor number.'],
    [['-n', '--table', '0 1 zero'], '--table and --notable are incompatible.'],
    [
      ['--addnodeonresume', '--addnodeoncreate'],
      '--addnodeonresume and --addnodeoncreate are incompatible.',
    ],
    [['--manglename', 'foo'], 'Unknown name mangling mode.'],
    [['-M', '9'], 'Invalid argument for --mode: 9. '],
    [['--readahead', '-5'], 'Negative read ahead value (-5) is not understood.'],
    [['-j', 'x', '-m', '1'], 'Invalid argument for --major: "x" is not a whole number.'],
  ])('refuses %j', (words, line) => {
    expect(() => collect(...words)).toThrow(`${line}\nCouldn't process command line.`);
  });

  it('has every short letter once', () => {
    const letters = OPTIONS.map(({ short = '' }) => short).join('');
    expect([...new Set(letters)].join('')).toBe(letters);
  });
});
