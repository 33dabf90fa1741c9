/** Words of `devmapper luks COMMAND` become options and operands, read as cryptsetup reads them. */

import { DmsetupFailure } from '../dmsetup/failure.ts';
import { type FoundOption, type OptionSpec, parseWords } from '../dmsetup/getopt.ts';
import { because, CommandError } from '../failure.ts';
import { type LuksOptionSpec, type LuksOptions, OPTIONS, type OptionName } from './option-table.ts';
import { parseSize } from './size-text.ts';
import { WRONG_PARAMETERS } from './status.ts';

export interface LuksWords {
  operands: string[];
  options: LuksOptions;
  /** As they were written, without other names. */
  given: readonly OptionName[];
}

const SPECS: readonly OptionSpec[] = Object.entries(OPTIONS).map(([long, spec]) => ({
  long,
  ...('short' in spec && { short: spec.short }),
  ...(spec.kind !== 'flag' && { value: 'value' }),
}));

/** Throws CommandError with status 1. */
export function readWords(words: readonly string[]): LuksWords {
  const { operands, options: found } = parse(words);
  const options: Record<string, string | number | true> = {};
  const given: OptionName[] = [];
  for (const { spec, value } of found) {
    const written = spec.long as OptionName;
    const entry: LuksOptionSpec = OPTIONS[written];
    const name = (entry.sameAs ?? written) as OptionName;
    options[name] = readValue(name, value);
    given.push(name);
  }
  return { operands, options, given };
}

function parse(words: readonly string[]): { operands: string[]; options: FoundOption[] } {
  try {
    return parseWords(words, SPECS);
  } catch (error) {
    if (!(error instanceof DmsetupFailure)) throw error;
    const reason = (error.lines[0] ?? '').replace(/^devmapper: /, '');
    throw wrongWords(reason.replace('unrecognized option', 'unknown option'));
  }
}

function readValue(name: OptionName, value: string | null): string | number | true {
  const { kind } = OPTIONS[name] as LuksOptionSpec;
  if (value === null) return true;
  if (kind === 'number') return wholeNumber(name, value);
  if (kind !== 'size') return value;
  try {
    return parseSize(value);
  } catch (error) {
    throw wrongWords(`--${name}: ${because(error)}`);
  }
}

function wholeNumber(name: OptionName, value: string): number {
  const isNumber = /^\d{1,15}$/.test(value);
  if (!isNumber) throw wrongWords(`--${name} expects a whole number, got "${value}"`);
  return Number(value);
}

/** The command line makes no sense. */
export function wrongWords(reason: string, ...details: string[]): CommandError {
  return new CommandError(reason, { status: WRONG_PARAMETERS, details });
}
