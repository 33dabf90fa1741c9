/**
 * Reads a target's arguments one word at a time, in the kernel's way: whole-word numbers, a message declared together with its range.
 *
 * Words come from `splitArguments`, which reads as dm_split_args does: white space separates, a backslash takes the next
 * character literally. Source: drivers/md/dm-table.c, described in the kernel's device-mapper documentation.
 */

import { DmError, type ErrnoName } from '../base/errors.ts';
import { MAX_SECTORS } from '../base/units.ts';
import type { BlockDevice } from './device.ts';

/** What isspace() takes in ASCII; other blanks (NBSP, U+3000) are letters of a file's name. */
const SPACE = /[ \t\n\v\f\r]/;
const SPACES = /[ \t\n\v\f\r]+/;

/** `'a\\ b  c'` -> `['a b', 'c']` */
export function splitArguments(text: string): string[] {
  // Nearly every line: tables have thousands, and each is read again by every thread that runs a copy.
  if (!text.includes('\\')) return text.split(SPACES).filter((word) => word !== '');
  const words: string[] = [];
  let word: string | null = null;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i]!;
    if (character === '\\' && i + 1 < text.length) {
      i += 1;
      word = (word ?? '') + text[i]!;
    } else if (SPACE.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== null) words.push(word);
  return words;
}

/** The inverse for one word: `'a b'` -> `'a\\ b'`; a `#` in front would begin a comment. */
export function quoteArgument(word: string): string {
  return word.replace(/[ \t\n\v\f\r\\]|^#/g, (character) => `\\${character}`);
}

/** sscanf's %u skips white space and knows no sign; kstrtouint allows one plus sign. Neither takes a trailing character. */
const DECIMAL = /^[ \t\n\v\f\r]*\d+$/;
const PLUS_DECIMAL = /^\+?\d+$/;

export interface NumberRange {
  min: number;
  max: number;
  /** The kernel reads this one with kstrtouint, so `+5` is a number. */
  plus?: boolean;
}

type Open = (operand: string, options?: { readOnly?: boolean }) => BlockDevice;

interface Opening {
  readonly readOnly: boolean;
  readonly message: string;
  readonly code: ErrnoName | undefined;
}

/** The kernel's `unsigned int`. */
export const UINT_MAX = 2 ** 32 - 1;

export class ArgumentReader {
  readonly #words: readonly string[];
  readonly #open: Open;
  #index = 0;

  constructor(words: readonly string[], open: Open) {
    this.#words = words;
    this.#open = open;
  }

  /** How many words there are in all. */
  get count(): number {
    return this.#words.length;
  }

  get remaining(): number {
    return this.#words.length - this.#index;
  }

  /** The kernel's constructors begin by looking at argc: throws `message` unless `valid`. */
  expectCount(valid: boolean, message = 'Invalid argument count'): void {
    if (!valid) throw this.error(message);
  }

  /** The next word; `message` is the kernel's text for a missing one. */
  word(name: string, message = 'Invalid argument count'): string {
    const word = this.#words[this.#index];
    if (word === undefined) throw this.error(message, `<${name}> is missing`);
    this.#index += 1;
    return word;
  }

  /** The next word without taking it. */
  peek(): string | undefined {
    return this.#words[this.#index];
  }

  /** A whole decimal number in [min, max]; anything else is refused with the kernel's `message`. */
  integer(name: string, message: string, range: NumberRange): number {
    const text = this.word(name, message);
    const value = (range.plus ? PLUS_DECIMAL : DECIMAL).test(text) ? Number(text) : Number.NaN;
    if (!(value >= range.min && value <= range.max)) {
      throw this.error(
        message,
        `<${name}> expected an integer from ${range.min} to ${range.max}, got "${text}"`,
      );
    }
    return value;
  }

  /** An offset or length in sectors. */
  sectors(name: string, message: string, options: { plus?: boolean } = {}): number {
    return this.integer(name, message, { min: 0, max: Math.floor(MAX_SECTORS), ...options });
  }

  /** Opens a device operand; `message` is the kernel's text when that fails, `code` its answer where that is not the cause's. */
  open(operand: string, message = 'Device lookup failed', code?: ErrnoName): BlockDevice {
    return this.#opened(operand, { readOnly: false, message, code });
  }

  /** One that the target never writes, so that it may be read-only though the table is not. */
  openReadOnly(operand: string, message: string): BlockDevice {
    return this.#opened(operand, { readOnly: true, message, code: undefined });
  }

  #opened(operand: string, { readOnly, message, code }: Opening): BlockDevice {
    try {
      return this.#open(operand, { readOnly });
    } catch (error) {
      if (!(error instanceof DmError)) throw error;
      throw new DmError(code ?? error.code, `${message}: ${error.message}`, { cause: error });
    }
  }

  /** Refuses words that nobody asked for. */
  end(message = 'Invalid argument count'): void {
    if (this.remaining > 0) throw this.error(message, `unexpected "${this.peek()}"`);
  }

  /** A refusal in the kernel's words, with what was wrong behind them. */
  error(message: string, detail?: string, code: ErrnoName = 'EINVAL'): DmError {
    return new DmError(code, detail === undefined ? message : `${message}: ${detail}`);
  }
}
