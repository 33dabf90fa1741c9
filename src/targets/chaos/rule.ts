/**
 * A rule: what becomes of which requests. Written as one word, `<effect>[:<key>=<value>,...]`, which is kept and printed as
 * it was given: so what a table prints loads to an equal target.
 */

import { Op } from '../../core/bio.ts';

export type Effect =
  /** Nothing is done and the request fails, after a time. */
  | { kind: 'fail'; errno: number; afterMs: number }
  /** Only the first sectors land; null: so many as chance says, but not all. */
  | { kind: 'torn'; sectors: number | null; errno: number }
  /** Answered with success, never done. */
  | { kind: 'lost' }
  /** Done so many sectors further on, or back. */
  | { kind: 'misdirected'; shiftSectors: number }
  /** So many bits are another. */
  | { kind: 'bitrot'; bits: number }
  /** A read sees what was there before the last write; so many sectors are remembered. */
  | { kind: 'stale'; rememberSectors: number }
  /** A write is acknowledged and held back, to land in another order. */
  | { kind: 'reorder'; hold: HoldLimits }
  | { kind: 'latency'; distribution: Distribution }
  /** Not done before message `go`. */
  | { kind: 'stall' }
  /** What is held is lost but for some, and everything fails for a while. Writes are held as long as there is such a rule. */
  | { kind: 'powercut'; offMs: number; keepProbability: number; hold: HoldLimits };

/** How much may be acknowledged without having landed, and what makes it land. */
export interface HoldLimits {
  sectors: number;
  writes: number;
  /** Each lands after a random time up to this, if nothing else makes it; null: any time. */
  ms: number | null;
  order: 'random' | 'oldest';
  ignoresFlush: boolean;
  ignoresFua: boolean;
}

/** In milliseconds. */
export type Distribution =
  | { name: 'fixed'; ms: number }
  | { name: 'uniform'; minMs: number; maxMs: number }
  | { name: 'normal'; meanMs: number; deviationMs: number }
  | { name: 'pareto'; minMs: number; shape: number; maxMs: number }
  | { name: 'disk'; rotationsPerMinute: number; seekMs: number; trackSectors: number };

export type DistributionName = Distribution['name'];
export type EffectKind = Effect['kind'];

/** Which requests; all that is said must hold. */
export interface Conditions {
  ops: ReadonlySet<Op>;
  /** Requests that touch [fromSector, toSector), counted from the start of the row; null: all, flushes too. */
  range: { fromSector: number; toSector: number } | null;
  /** From when on, and for how long, since the rule was added. */
  afterMs: number;
  forMs: number;
  /** The first so many of those requests are let by; what follows counts the others. */
  skip: number;
  nth: number | null;
  every: number;
  probability: number;
  /** After so many times the rule has done its work. */
  count: number;
}

export interface Rule {
  /** The word. */
  readonly text: string;
  /** What people call it, if anything. */
  readonly name: string | null;
  /** `eio`, say. */
  readonly effectName: string;
  readonly effect: Effect;
  readonly conditions: Conditions;
  /** null: made of the target's seed and the word. */
  readonly seed: number | null;
}

/** Of several rules that apply to a request, the first of each class counts. */
export type RuleClass = 'power' | 'time' | 'order' | 'fault';

const CLASSES: Readonly<Record<EffectKind, RuleClass>> = {
  powercut: 'power',
  latency: 'time',
  stall: 'time',
  reorder: 'order',
  fail: 'fault',
  torn: 'fault',
  lost: 'fault',
  misdirected: 'fault',
  bitrot: 'fault',
  stale: 'fault',
};

export function classOf({ effect }: Rule): RuleClass {
  return CLASSES[effect.kind];
}

/** Whether reads are what they were without the rule, so that they need not come by. */
export function leavesReadsAlone({ effect, conditions }: Rule): boolean {
  const holdsWrites = effect.kind === 'reorder' || effect.kind === 'powercut';
  return !holdsWrites && !conditions.ops.has(Op.read);
}
