/** Messages to the target: words in, an answer or a refusal out. */

import { DmError } from '../../base/errors.ts';
import { EFFECTS } from './effects.ts';
import { type ChaosFacts, listText, statisticsText } from './report.ts';
import { OP_WORDS } from './rule-parser.ts';
import { RuleWords } from './rule-words.ts';

/** What messages can have done. Each resolves when it is true for all I/O, in other threads too. */
export interface ChaosControl {
  facts(): ChaosFacts;
  addRules(words: readonly string[]): Promise<void>;
  removeRules(words: readonly string[]): Promise<void>;
  clearRules(): Promise<void>;
  triggerRule(word: string): Promise<void>;
  stall(): Promise<void>;
  go(): Promise<void>;
  powerOff(offMs: number): Promise<void>;
  powerOn(): Promise<void>;
}

interface MessageType {
  /** How many words may follow. */
  readonly operands: readonly [min: number, max: number];
  readonly usage: string;
  run(control: ChaosControl, words: readonly string[]): Promise<string | undefined>;
}

const MANY = Number.POSITIVE_INFINITY;

const MESSAGES: Readonly<Record<string, MessageType>> = {
  add: {
    operands: [1, MANY],
    usage: 'add <rule>...',
    run: (control, words) => silently(control.addRules(words)),
  },
  remove: {
    operands: [1, MANY],
    usage: 'remove <number or name>...',
    run: (control, words) => silently(control.removeRules(words)),
  },
  clear: { operands: [0, 0], usage: 'clear', run: (control) => silently(control.clearRules()) },
  list: {
    operands: [0, 0],
    usage: 'list',
    run: (control) => Promise.resolve(listText(control.facts())),
  },
  trigger: {
    operands: [1, 1],
    usage: 'trigger <number or name>',
    run: (control, [word = '']) => silently(control.triggerRule(word)),
  },
  stall: { operands: [0, 0], usage: 'stall', run: (control) => silently(control.stall()) },
  go: { operands: [0, 0], usage: 'go', run: (control) => silently(control.go()) },
  power: {
    operands: [1, 2],
    usage: 'power on | power off [<time>]',
    run: (control, words) => silently(switchPower(control, words)),
  },
  stats: {
    operands: [0, 0],
    usage: 'stats',
    run: (control) => Promise.resolve(statisticsText(control.facts())),
  },
  help: { operands: [0, 0], usage: 'help', run: () => Promise.resolve(helpText()) },
};

export async function answerMessage(
  control: ChaosControl,
  [name = '', ...words]: readonly string[],
): Promise<string | undefined> {
  const type = Object.hasOwn(MESSAGES, name) ? MESSAGES[name] : undefined;
  if (type === undefined) {
    const names = Object.keys(MESSAGES).join(', ');
    throw new DmError(
      'EINVAL',
      `Unrecognised message received: expected one of ${names}, got "${name}"`,
    );
  }
  const [min, max] = type.operands;
  if (words.length < min || words.length > max) throw misused(type, words);
  return await type.run(control, words);
}

async function silently(action: Promise<void>): Promise<undefined> {
  await action;
}

function misused({ usage }: MessageType, words: readonly string[]): DmError {
  return new DmError(
    'EINVAL',
    `Invalid argument count: expected "${usage}", got ${words.length} words`,
  );
}

async function switchPower(control: ChaosControl, words: readonly string[]): Promise<void> {
  const [state, time] = words;
  if (state === 'off') {
    const ms = new RuleWords('power off', time === undefined ? time : `ms=${time}`);
    await control.powerOff(ms.duration('ms', null) ?? Number.POSITIVE_INFINITY);
    return;
  }
  if (state !== 'on' || time !== undefined) throw misused(MESSAGES['power']!, words);
  await control.powerOn();
}

function helpText(): string {
  const effects = EFFECTS.map(({ name, keys, help }) => {
    return `  ${`${name} ${keys}`.trimEnd()}\n      ${help}\n`;
  });
  const messages = Object.values(MESSAGES).map(({ usage }) => `  ${usage}\n`);
  return `A rule is one word, <effect>[:<key>=<value>,...]
Effects, and keys of their own with what they are if not given:
${effects.join('')}Keys of all rules:
  op=       ${Object.keys(OP_WORDS).join(', ')}, several joined by "+"
  from= to= sectors of the row, to is the first one behind
  p=        probability, 0.01 or 1%
  nth=      only the nth of those requests
  every=    each nth of them
  skip=     so many of them are let by first
  count=    so many times at most
  after=    from a time after the rule was added on
  for=      so long
  name=     to remove and trigger it by
  seed=     of its chance
Messages:
${messages.join('')}`;
}
