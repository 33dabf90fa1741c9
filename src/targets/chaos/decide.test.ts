import { describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { Op } from '../../core/bio.ts';
import { decide, type RequestShape, RuleState } from './decide.ts';
import { parseRule } from './rule-parser.ts';

function statesOf(words: string, options: { seed?: number; blockSectors?: number } = {}) {
  const { seed = 0, blockSectors = 1 } = options;
  const facts = { lengthSectors: 1000, blockSectors, seed };
  return words
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => new RuleState(parseRule(word), facts, 0));
}

const READ: RequestShape = { op: Op.read, sector: 100, sectorCount: 8 };
const WRITE: RequestShape = { op: Op.write, sector: 100, sectorCount: 8 };
const FLUSH: RequestShape = { op: Op.flush, sector: 0, sectorCount: 0 };

/** A letter for each request: `x` where the one rule fired. */
function fired(word: string, requests: readonly RequestShape[], gapMs = 0): string {
  const states = statesOf(word);
  const marks = requests.map((request, index) => {
    const before = states[0]!.firedCount;
    decide(states, request, index * gapMs);
    return states[0]!.firedCount > before ? 'x' : '.';
  });
  return marks.join('');
}

const mixed = [READ, WRITE, FLUSH, WRITE, READ, WRITE];
test.each([
  ['eio', 'xxxxxx'],
  ['eio:op=write', '.x.x.x'],
  ['eio:op=write,nth=2', '...x..'],
  ['eio:op=write,skip=1', '...x.x'],
  ['eio:every=2', '.x.x.x'],
  ['eio:every=2,skip=1', '..x.x.'],
  ['eio:every=2,count=2', '.x.x..'],
  ['eio:count=1', 'x.....'],
  ['eio:p=0', '......'],
  ['eio:after=20', '..xxxx'],
  ['eio:after=20,nth=2', '...x..'],
  ['eio:after=20,for=20', '..xx..'],
  ['eio:from=0,to=100', '......'],
  ['eio:from=0,to=101', 'xx.xxx'],
  ['eio:from=107', 'xx.xxx'],
  ['eio:from=108', '......'],
  ['stale', '......'],
  ['torn:sectors=7', '.x.x.x'],
  // All of it would land, and nobody be told otherwise.
  ['torn:sectors=8', '......'],
  ['torn:sectors=8,answer=eio', '.x.x.x'],
])('%s fires at %s', (word, marks) => {
  expect(fired(word, mixed, 10)).toBe(marks);
});

describe('chance', () => {
  const many = Array.from({ length: 10_000 }, () => READ);

  test('comes as often as it is said', () => {
    const count = fired('eio:p=0.2', many).replaceAll('.', '').length;
    expect(count).toBeGreaterThan(1800);
    expect(count).toBeLessThan(2200);
  });

  test('is the same for the same seed and another for another', () => {
    expect(fired('eio:p=0.5,seed=1', many)).toBe(fired('eio:p=0.5,seed=1', many));
    expect(fired('eio:p=0.5,seed=1', many)).not.toBe(fired('eio:p=0.5,seed=2', many));
    const draw = (seed: number) => {
      const states = statesOf('eio:p=0.5', { seed });
      return many.slice(0, 64).map((request) => decide(states, request, 0).fault === null);
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  test('does not depend on the rules beside it', () => {
    const at = (words: string) => {
      const states = statesOf(words);
      for (const request of many) decide(states, request, 0);
      return states.at(-1)!.metCount;
    };
    const faults = (words: string) => {
      const states = statesOf(words);
      return many.map((request) => decide(states, request, 0).delayMs > 0);
    };
    expect(at('latency:p=0.5')).toBe(at('stall:p=0.1 lost eio:p=0.3 latency:p=0.5'));
    expect(faults('latency:p=0.5')).toEqual(faults('torn eio:p=0.3 latency:p=0.5'));
  });
});

describe('of several rules', () => {
  test('the first of each class applies', () => {
    const states = statesOf('eio:op=read lost eio latency:ms=3 latency:ms=5 reorder stall');
    const decision = decide(states, WRITE, 0);
    expect(decision).toMatchObject({ cut: null, stall: null, delayMs: 3, fault: { kind: 'lost' } });
    expect(states.map(({ metCount }) => metCount)).toEqual([0, 1, 1, 1, 1, 1, 1]);
    expect(states.map(({ firedCount }) => firedCount)).toEqual([0, 1, 0, 1, 0, 0, 0]);
  });

  test('a power cut leaves nothing for the others', () => {
    const states = statesOf('eio latency powercut reorder');
    expect(decide(states, WRITE, 0)).toMatchObject({ cut: states[2], delayMs: 0, fault: null });
    expect(states.map(({ firedCount }) => firedCount)).toEqual([0, 0, 1, 0]);
  });

  test('a torn write may be reordered', () => {
    const states = statesOf('torn:sectors=2 reorder');
    const { fault, reorder } = decide(states, WRITE, 0);
    expect(fault).toEqual({ kind: 'torn', landingSectors: 2, errno: 0 });
    expect(reorder).toBe(states[1]);
  });
});

test('a triggered rule applies to the next request it is for, whatever its conditions', () => {
  const states = statesOf('eio:op=write,p=0,after=1h,count=1');
  states[0]!.isTriggered = true;
  expect(decide(states, READ, 0).fault).toBeNull();
  expect(decide(states, WRITE, 0).fault).toMatchObject({ errno: Errno.EIO });
  expect(decide(states, WRITE, 0).fault).toBeNull();
});

describe('faults', () => {
  const faultOf = (word: string, request: RequestShape, blockSectors = 1) =>
    decide(statesOf(word, { blockSectors }), request, 0).fault;

  test.each([
    ['as many as it says', 'torn:sectors=3', 1, 3],
    ['all of a shorter one that fails', 'torn:sectors=100,answer=eio', 1, 8],
    ['whole blocks', 'torn:sectors=7', 4, 4],
  ])('a torn write lands %s', (_what, word, blockSectors, landingSectors) => {
    expect(faultOf(word, WRITE, blockSectors)).toMatchObject({ landingSectors });
  });

  test('a torn write by chance lands less than all of it, in whole blocks', () => {
    const states = statesOf('torn', { blockSectors: 2 });
    const seen = new Set<unknown>();
    for (let count = 0; count < 200; count += 1) {
      const { fault } = decide(states, WRITE, 0);
      if (fault?.kind === 'torn') seen.add(fault.landingSectors);
    }
    expect(seen).toEqual(new Set([0, 2, 4, 6]));
  });

  test.each([
    ['further on', 'misdirected:shift=16', 100, 16],
    ['back', 'misdirected:shift=-16', 100, -16],
    ['back where the row ends', 'misdirected:shift=16', 990, -16],
    ['on where it begins', 'misdirected:shift=-16', 4, 16],
  ])('a misdirected write goes %s', (_what, word, sector, shiftSectors) => {
    const request = { ...WRITE, sector };
    expect(faultOf(word, request)).toEqual({ kind: 'misdirected', shiftSectors });
  });

  test('one that fits nowhere else stays where it is', () => {
    expect(
      faultOf('misdirected:shift=600', { ...WRITE, sector: 450, sectorCount: 200 }),
    ).toBeNull();
  });

  test('bits rot in the sectors of the rule, each once', () => {
    const fault = faultOf('bitrot:bits=4096,from=102,to=103', READ);
    if (fault?.kind !== 'flipped') throw new Error('expected flipped bits');
    expect(new Set(fault.bits).size).toBe(4096);
    expect(Math.min(...fault.bits)).toBe(2 * 4096);
    expect(Math.max(...fault.bits)).toBe(3 * 4096 - 1);
  });

  test('a read is stale where something older is known', () => {
    const states = statesOf('stale:remember=4');
    states[0]!.old!.remember(104, new Uint8Array(1024));
    expect(decide(states, READ, 0).fault?.kind).toBe('stale');
    expect(decide(states, { ...READ, sector: 106 }, 0).fault).toBeNull();
  });
});
