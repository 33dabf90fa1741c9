/** The `key=value` pairs behind a rule's colon, read one by one; what nobody asked for is refused. */

import { DmError } from '../../base/errors.ts';
import { UINT_MAX } from '../../core/arguments.ts';

interface Bounds {
  min: number;
  max: number;
}

const INTEGER = /^-?\d+$/;
const DECIMAL = /^(\d+(?:\.\d*)?|\.\d+)(e-?\d+)?$/;
const DURATION = /^(\d+(?:\.\d*)?|\.\d+)(us|ms|s|m|h)?$/;
const MS_OF: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
/** About what a timer can count: 24 days. */
export const MAX_MS = 2 ** 31 - 1;

export class RuleWords {
  readonly #rule: string;
  readonly #values = new Map<string, string>();
  /** All keys that were asked for, in that order. */
  readonly #known: string[] = [];

  constructor(rule: string, pairs: string | undefined) {
    this.#rule = rule;
    for (const pair of pairs?.split(',') ?? []) {
      const [, key, value] = /^([a-z]+)=(.+)$/.exec(pair) ?? [];
      if (key === undefined || value === undefined) {
        throw this.error(`expected <key>=<value>, got "${pair}"`);
      }
      if (this.#values.has(key)) throw this.error(`${key} is given twice`);
      this.#values.set(key, value);
    }
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** The text behind the key, undefined if it is not there. */
  text(key: string): string | undefined {
    this.#known.push(key);
    return this.#values.get(key);
  }

  integer<T extends number | null>(key: string, fallback: T, { min, max }: Bounds): number | T {
    const text = this.text(key);
    if (text === undefined) return fallback;
    const value = INTEGER.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw this.unexpected(key, `an integer from ${min} to ${max}`, text);
  }

  /** How many of something. */
  count<T extends number | null>(key: string, fallback: T, min = 1): number | T {
    return this.integer(key, fallback, { min, max: UINT_MAX });
  }

  decimal(key: string, fallback: number, { min, max }: Bounds): number {
    const text = this.text(key);
    if (text === undefined) return fallback;
    const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw this.unexpected(key, `a number from ${min} to ${max}`, text);
  }

  /** `0.25` or `25%` */
  probability(key: string, fallback: number): number {
    const text = this.text(key);
    if (text === undefined) return fallback;
    const isPercent = text.endsWith('%');
    const digits = isPercent ? text.slice(0, -1) : text;
    const value = DECIMAL.test(digits) ? Number(digits) / (isPercent ? 100 : 1) : Number.NaN;
    if (value >= 0 && value <= 1) return value;
    throw this.unexpected(key, 'a probability from 0 to 1, or from 0% to 100%', text);
  }

  /** `20`, `20ms`, `1.5s`, in milliseconds. */
  duration<T extends number | null>(key: string, fallback: T): number | T {
    const text = this.text(key);
    if (text === undefined) return fallback;
    const [, digits, unit = 'ms'] = DURATION.exec(text) ?? [];
    const value = digits === undefined ? Number.NaN : Number(digits) * MS_OF[unit]!;
    if (value >= 0 && value <= MAX_MS) return value;
    throw this.unexpected(key, `a time up to ${MAX_MS} ms (us, ms, s, m, h; ms if not said)`, text);
  }

  choice<T extends string>(key: string, fallback: T, choices: readonly T[]): T {
    const text = this.text(key);
    if (text === undefined) return fallback;
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    throw this.unexpected(key, `one of ${choices.join(', ')}`, text);
  }

  /** Refuses keys that nobody asked for. */
  end(): void {
    for (const key of this.#values.keys()) {
      if (this.#known.includes(key)) continue;
      throw this.error(`unknown key "${key}", expected one of ${this.#known.join(', ')}`);
    }
  }

  unexpected(key: string, expected: string, got: string): DmError {
    return this.error(`${key}: expected ${expected}, got "${got}"`);
  }

  error(problem: string): DmError {
    return new DmError('EINVAL', `Invalid rule "${this.#rule}": ${problem}`);
  }
}
