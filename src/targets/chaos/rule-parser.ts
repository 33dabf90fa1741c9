/** From a rule's word to the rule. Errors name the word, what was expected and what was there. */

import { DmError } from '../../base/errors.ts';
import { MAX_SECTORS } from '../../base/units.ts';
import { UINT_MAX } from '../../core/arguments.ts';
import { Op } from '../../core/bio.ts';
import { EFFECTS, type EffectType } from './effects.ts';
import type { Conditions, Rule } from './rule.ts';
import { RuleWords } from './rule-words.ts';

/** What people write behind `op=`. */
export const OP_WORDS: Readonly<Record<string, Op>> = {
  read: Op.read,
  write: Op.write,
  flush: Op.flush,
  discard: Op.discard,
  zeroes: Op.writeZeroes,
};

export function parseRule(text: string): Rule {
  const [effectName = '', pairs] = splitOnce(text, ':');
  const type = EFFECTS.find(({ name }) => name === effectName);
  if (type === undefined) {
    const names = EFFECTS.map(({ name }) => name).join(', ');
    throw new DmError(
      'EINVAL',
      `Invalid rule "${text}": expected one of ${names}, got "${effectName}"`,
    );
  }
  const words = new RuleWords(text, pairs);
  const conditions = readConditions(words, type);
  const effect = type.read(words);
  const name = readName(words);
  const seed = words.integer('seed', null, { min: 0, max: UINT_MAX });
  words.end();
  return { text, name, effectName, effect, conditions, seed };
}

function splitOnce(text: string, separator: string): [string, string?] {
  const index = text.indexOf(separator);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}

function readConditions(words: RuleWords, type: EffectType): Conditions {
  const ops = readOps(words, type);
  const range = readRange(words, ops);
  const probability = words.probability('p', 1);
  const nth = words.count('nth', null);
  if (nth !== null && words.has('every')) throw words.error('nth and every do not go together');
  const every = words.count('every', 1);
  // A power cut that comes again at once would let nothing by any more.
  const isRepeated = words.has('p') || words.has('every') || type.name !== 'powercut';
  return {
    ops,
    range,
    afterMs: words.duration('after', 0),
    forMs: words.duration('for', null) ?? Number.POSITIVE_INFINITY,
    skip: words.count('skip', 0, 0),
    nth,
    every,
    probability,
    count: words.count('count', null) ?? (isRepeated ? Number.POSITIVE_INFINITY : 1),
  };
}

function readOps(words: RuleWords, type: EffectType): ReadonlySet<Op> {
  const text = words.text('op');
  if (text === undefined) return new Set(type.defaultOps);
  const allowed = Object.entries(OP_WORDS).filter(([, op]) => type.ops.includes(op));
  const ops = text.split('+').map((word) => {
    const found = allowed.find(([name]) => name === word);
    if (found) return found[1];
    const names = allowed.map(([name]) => name).join(', ');
    throw words.unexpected('op', `one or more, joined by "+", of ${names}`, word);
  });
  return new Set(ops);
}

function readRange(words: RuleWords, ops: ReadonlySet<Op>): Conditions['range'] {
  const bounds = { min: 0, max: Math.floor(MAX_SECTORS) };
  const hasRange = words.has('from') || words.has('to');
  const fromSector = words.integer('from', 0, bounds);
  const toSector = words.integer('to', bounds.max, bounds);
  if (!hasRange) return null;
  if (toSector <= fromSector) {
    const expected = `a sector behind the last one, above from (${fromSector})`;
    throw words.unexpected('to', expected, String(toSector));
  }
  if (ops.size === 1 && ops.has(Op.flush)) throw words.error('a flush has no sectors');
  return { fromSector, toSector };
}

/** Not a number, which is a place in the list. */
function readName(words: RuleWords): string | null {
  const name = words.text('name') ?? null;
  if (name === null || /^[A-Za-z][\w.-]*$/.test(name)) return name;
  throw words.unexpected('name', 'a letter, then letters, digits, "_", "." or "-"', name);
}
