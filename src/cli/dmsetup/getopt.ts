/**
 * Words of a command line as getopt_long(3) reads them, because scripts rely on it: options before and after operands, short ones
 * joined (`-fv`), values joined or apart (`-uX`, `-u X`, `--uuid=X`), long names cut to what is unambiguous (`--noh`), `--` ends options.
 */

import { badCommandLine } from './failure.ts';

export interface OptionSpec {
  long: string;
  /** One or more letters that mean the same: `cC`. */
  short?: string;
  /** Name of the value, for those that take one. */
  value?: string;
}

export interface FoundOption {
  spec: OptionSpec;
  value: string | null;
}

export interface ParsedWords {
  options: FoundOption[];
  operands: string[];
}

export interface ParseLimits {
  /** Stop at the first operand: the rest, options too, belongs to somebody else. */
  stopAtOperand?: boolean;
}

/** Throws what getopt_long prints, in a failure that ends the program. */
export function parseWords(
  words: readonly string[],
  specs: readonly OptionSpec[],
  limits: ParseLimits = {},
): ParsedWords {
  const parsed: ParsedWords = { options: [], operands: [] };
  const rest = [...words];
  for (;;) {
    const word = rest.shift();
    if (word === undefined) return parsed;
    if (word === '--') {
      parsed.operands.push(...rest);
      return parsed;
    }
    if (word.startsWith('--')) parsed.options.push(readLong(word, rest, specs));
    else if (word.startsWith('-') && word !== '-') {
      parsed.options.push(...readShort(word, rest, specs));
    } else {
      parsed.operands.push(word);
      if (!limits.stopAtOperand) continue;
      parsed.operands.push(...rest);
      return parsed;
    }
  }
}

function readLong(word: string, rest: string[], specs: readonly OptionSpec[]): FoundOption {
  const equals = word.indexOf('=');
  const name = word.slice(2, equals < 0 ? undefined : equals);
  const spec = findLong(name, specs);
  if (equals >= 0) {
    if (!spec.value)
      throw badCommandLine(`devmapper: option '--${spec.long}' doesn't allow an argument`);
    return { spec, value: word.slice(equals + 1) };
  }
  if (!spec.value) return { spec, value: null };
  const value = rest.shift();
  if (value === undefined)
    throw badCommandLine(`devmapper: option '--${spec.long}' requires an argument`);
  return { spec, value };
}

function findLong(name: string, specs: readonly OptionSpec[]): OptionSpec {
  const exact = specs.find(({ long }) => long === name);
  if (exact) return exact;
  const candidates = specs.filter(({ long }) => long.startsWith(name));
  const [only] = candidates;
  if (only && candidates.length === 1) return only;
  if (!only) throw badCommandLine(`devmapper: unrecognized option '--${name}'`);
  const list = candidates.map(({ long }) => `'--${long}'`).join(' ');
  throw badCommandLine(`devmapper: option '--${name}' is ambiguous; possibilities: ${list}`);
}

/** `-fvuX`: letters until one takes the rest of the word, or the next word, as its value. */
function readShort(word: string, rest: string[], specs: readonly OptionSpec[]): FoundOption[] {
  const found: FoundOption[] = [];
  for (let index = 1; index < word.length; index += 1) {
    const letter = word[index]!;
    const spec = specs.find(({ short }) => short?.includes(letter));
    if (!spec) throw badCommandLine(`devmapper: invalid option -- '${letter}'`);
    if (!spec.value) {
      found.push({ spec, value: null });
      continue;
    }
    const value = word.slice(index + 1) || rest.shift();
    if (value === undefined)
      throw badCommandLine(`devmapper: option requires an argument -- '${letter}'`);
    found.push({ spec, value });
    break;
  }
  return found;
}
