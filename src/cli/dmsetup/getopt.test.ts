import { describe, expect, it } from 'vitest';
import { DmsetupFailure } from './failure.ts';
import { parseWords } from './getopt.ts';
import { OPTIONS } from './options.ts';

function parse(line: string): string {
  const { options, operands } = parseWords(line.split(' '), OPTIONS);
  const found = options.map(({ spec, value }) =>
    value === null ? spec.long : `${spec.long}=${value}`,
  );
  return [...found, '|', ...operands].join(' ');
}

function refusal(line: string): string {
  try {
    parse(line);
  } catch (error) {
    if (error instanceof DmsetupFailure) return error.lines[0]!;
    throw error;
  }
  return 'accepted';
}

describe('parseWords', () => {
  it.each([
    ['info lin', '| info lin'],
    ['-v info -c lin --noheadings', 'verbose columns noheadings | info lin'],
    ['create x --uuid X --table=0', 'uuid=X table=0 | create x'],
    ['info -uX -u Y', 'uuid=X uuid=Y | info'],
    ['info -fvC y', 'force verbose columns | info y'],
    ['info -cuX', 'columns uuid=X | info'],
    ['info --noh --nam lin', 'noheadings nameprefixes | info lin'],
    ['info --table=', 'table= | info'],
    ['info -- --uuid -v', '| info --uuid -v'],
    ['info - x', '| info - x'],
    // An exact name counts although it begins others.
    ['stats --area --areas 2', 'area areas=2 | stats'],
  ])('reads %s', (line, expected) => {
    expect(parse(line)).toBe(expected);
  });

  // Words of getopt_long, seen from dmsetup 1.02.185.
  it.each([
    ['--ta x', "devmapper: option '--ta' is ambiguous; possibilities: '--table' '--target'"],
    ['--nosuch', "devmapper: unrecognized option '--nosuch'"],
    ['-Z', "devmapper: invalid option -- 'Z'"],
    ['-j', "devmapper: option requires an argument -- 'j'"],
    ['--uuid', "devmapper: option '--uuid' requires an argument"],
    ['--force=1', "devmapper: option '--force' doesn't allow an argument"],
    [
      '--no x',
      "devmapper: option '--no' is ambiguous; possibilities: '--nogroup' '--noflush' '--noheadings' '--nolockfs' '--noopencount' '--nosuffix' '--notable' '--notimesuffix' '--nomonitor' '--noudevrules' '--noudevsync'",
    ],
  ])('refuses %s', (line, expected) => {
    expect(refusal(line)).toBe(expected);
  });

  it('stops at the first operand when told to', () => {
    const { options, operands } = parseWords(['-v', 'stats', '--help'], OPTIONS, {
      stopAtOperand: true,
    });
    expect(options).toHaveLength(1);
    expect(operands).toEqual(['stats', '--help']);
  });
});
