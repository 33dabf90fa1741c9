/** The rules of a target, in the order they are tried; people call them by place (from 1), by name, or by an effect that only one has. */

import { DmError } from '../../base/errors.ts';
import { UINT_MAX } from '../../core/arguments.ts';
import { type RowFacts, RuleState } from './decide.ts';
import type { HoldPolicy } from './hold-policy.ts';
import type { WriteHabits } from './performer.ts';
import { leavesReadsAlone, type Rule } from './rule.ts';
import { parseRule } from './rule-parser.ts';
import type { Write } from './write.ts';

/** All of them are asked about each request. */
const RULE_LIMIT = 1024;

export class RuleList implements WriteHabits {
  readonly #facts: RowFacts;
  #states: readonly RuleState[] = [];
  cachePolicy: HoldPolicy | null = null;
  #remembering: readonly RuleState[] = [];

  constructor(facts: RowFacts) {
    this.#facts = facts;
  }

  get states(): readonly RuleState[] {
    return this.#states;
  }

  get leavesReadsAlone(): boolean {
    return this.#states.every(({ rule }) => leavesReadsAlone(rule));
  }

  remembering(write: Write): readonly RuleState[] {
    return this.#remembering.filter((state) => state.remembers(write));
  }

  /** All of the words or, when one is refused, none. */
  add(words: readonly string[], nowMs: number): void {
    const rules = words.map((word) => this.#check(parseRule(word)));
    const names = [...this.#states.map(({ rule }) => rule), ...rules].map(({ name }) => name);
    const twice = names.find((name, index) => name !== null && names.indexOf(name) < index);
    if (twice !== undefined) throw new DmError('EEXIST', `There is a rule of name "${twice}"`);
    if (names.length > RULE_LIMIT) {
      throw new DmError(
        'EINVAL',
        `Too many rules: expected at most ${RULE_LIMIT}, got ${names.length}`,
      );
    }
    const states = [...this.#states];
    for (const rule of rules) {
      // Of equal words each has a chance of its own.
      const equalCount = states.filter((state) => state.rule.text === rule.text).length;
      const seed = this.#facts.seed + equalCount;
      states.push(new RuleState(rule, { ...this.#facts, seed }, nowMs));
    }
    this.#set(states);
  }

  #check(rule: Rule): Rule {
    this.#checkRange(rule);
    this.#checkBlocks(rule);
    return rule;
  }

  /** Behind the end it would never meet anything: bytes were taken for sectors, perhaps. */
  #checkRange(rule: Rule): void {
    const { lengthSectors } = this.#facts;
    const from = rule.conditions.range?.fromSector ?? 0;
    if (from < lengthSectors) return;
    const expected = `a sector of the row, which has ${lengthSectors}`;
    throw misfit(rule, { key: 'from', expected, got: from });
  }

  /** What does not fit the blocks of the device below could not be done there. */
  #checkBlocks(rule: Rule): void {
    const { effect } = rule;
    const { blockSectors } = this.#facts;
    const [key, sectors] =
      effect.kind === 'misdirected'
        ? ['shift', effect.shiftSectors]
        : effect.kind === 'torn'
          ? ['sectors', effect.sectors ?? 0]
          : ['', 0];
    if (sectors % blockSectors === 0) return;
    const expected = `a multiple of the logical block of the device, ${blockSectors} sectors`;
    throw misfit(rule, { key, expected, got: sectors });
  }

  find(word: string): RuleState {
    const isNumber = /^\d+$/.test(word) && Number(word) <= UINT_MAX;
    const found = isNumber
      ? this.#states.slice(Math.max(0, Number(word) - 1), Number(word))
      : this.#states.filter(({ label }) => label === word);
    const [state] = found;
    if (state !== undefined && found.length === 1) return state;
    const count = this.#states.length;
    const known = count === 0 ? 'there are none' : `expected 1 to ${count}, or a rule's name`;
    const problem =
      state === undefined ? `${known}, got "${word}"` : `"${word}" is several of them`;
    throw new DmError('ENOENT', `No such rule: ${problem}`);
  }

  remove(states: readonly RuleState[]): void {
    this.#set(this.#states.filter((state) => !states.includes(state)));
  }

  #set(states: readonly RuleState[]): void {
    this.#states = states;
    this.#remembering = states.filter(({ old }) => old !== null);
    this.cachePolicy = states.find(({ rule }) => rule.effect.kind === 'powercut')?.policy ?? null;
  }
}

function misfit(
  { text }: Rule,
  { key, expected, got }: { key: string; expected: string; got: number },
): DmError {
  return new DmError(
    'EINVAL',
    `Invalid rule "${text}": ${key}: expected ${expected}, got "${got}"`,
  );
}
