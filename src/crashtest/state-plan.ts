/**
 * Which states are looked at, and in which order. Four kinds take turns, and each goes over the whole log at once, coarse first: a run that is cut
 * short has seen something of every kind and of every part.
 *
 * - at every flush, write with FUA and mark, just before it and just after: nothing that could be lost is there, and all of it
 * - at every write: all up to it are there, the last one torn
 * - in every window: one write is lost, one write alone survives; in small ones every subset
 * - without end, by the seed: any point, any subset, torn, out of order
 */

import type { Prng } from '../base/prng.ts';
import { type CrashState, type Survivor, whole, wholeState } from './crash-state.ts';
import type { LogWindows } from './log-windows.ts';
import { prefixOf, randomTear, type TearSectors, tearPlaces } from './tear.ts';

export interface PlanOptions {
  windows: LogWindows;
  prng: Prng;
  tearSectors: TearSectors;
  /** No state is of a crash before it: what came before was there to begin with. Default 0. */
  firstPoint?: number;
}

/** Windows of so many writes have few enough subsets to look at all of them. */
const EVERY_SUBSET_WRITES = 4;
/** Of a larger window so many writes are chosen to be lost, or to survive, alone. */
const SINGLES_LIMIT = 32;

export type StateKind = 'point' | 'prefix' | 'subset' | 'sample';

export interface PlannedState {
  readonly state: CrashState;
  /** Samples never end; the others do. */
  readonly kind: StateKind;
}

/** So many states of each kind at a turn: the likeliest to be bad more often. */
const TURNS: Record<StateKind, number> = { point: 4, prefix: 2, subset: 2, sample: 1 };

export function* planStates(options: PlanOptions): Generator<PlannedState, void> {
  const left = new Map<StateKind, Iterator<CrashState>>([
    ['point', pointStates(options)],
    ['prefix', prefixStates(options)],
    ['subset', subsetStates(options)],
    ['sample', samples(options)],
  ]);
  while (left.size > 0) {
    for (const [kind, states] of left) {
      for (let turn = 0; turn < TURNS[kind]; turn += 1) {
        const { value, done } = states.next();
        if (done) left.delete(kind);
        else yield { state: value, kind };
      }
    }
  }
}

/** Points at which something becomes durable, or the workload said where it is: just before, and just after; and the ends of the log. */
export function crashPoints(windows: LogWindows, firstPoint = 0): number[] {
  const points: number[] = [];
  for (let point = firstPoint; point <= windows.log.entries.length; point += 1) {
    if (isCrashPoint(windows, point, firstPoint)) points.push(point);
  }
  return points;
}

/** One of those; no state is of a point before the first. */
export function isCrashPoint(
  { log: { entries } }: LogWindows,
  point: number,
  firstPoint: number,
): boolean {
  if (point === firstPoint || point === entries.length) return true;
  return entries.isLandmark(point - 1) || entries.makesDurable(point);
}

function* pointStates({ windows, firstPoint }: PlanOptions): Generator<CrashState> {
  const points = crashPoints(windows, firstPoint);
  for (const index of spread(points.length)) {
    const point = points[index]!;
    const all = wholeState(windows, point);
    yield all;
    if (all.survivors.length > 0) yield { point, survivors: [] };
  }
}

function* prefixStates(options: PlanOptions): Generator<CrashState> {
  const { windows, prng, tearSectors, firstPoint = 0 } = options;
  const { entries } = windows.log;
  const writes: number[] = [];
  for (let number = firstPoint; number < entries.length; number += 1) {
    if (entries.isLosable(number)) writes.push(number);
  }
  for (const index of spread(writes.length)) {
    const number = writes[index]!;
    const all = wholeState(windows, number + 1);
    yield all;
    const entry = entries.at(number);
    const places = tearPlaces(entry, tearSectors);
    if (places.length === 0) continue;
    const kept = prefixOf(entry, prng.pick(places));
    yield { point: number + 1, survivors: [...all.survivors.slice(0, -1), { number, kept }] };
  }
}

function* subsetStates(options: PlanOptions): Generator<CrashState> {
  const { windows, prng, firstPoint = 0 } = options;
  const candidates = losableWindows(options);
  for (const index of spread(candidates.length)) {
    const window = candidates[index]!;
    const point = windows.end(window);
    const losable = windows.losable(point);
    if (losable.length <= EVERY_SUBSET_WRITES) {
      yield* everySubset(point, losable);
      continue;
    }
    for (const number of choose(losable, SINGLES_LIMIT, prng)) {
      yield { point, survivors: losable.filter((each) => each !== number).map(whole) };
      // Alone at its own point: what ended later is of no matter.
      yield { point: Math.max(number + 1, firstPoint), survivors: [whole(number)] };
    }
  }
}

function* everySubset(point: number, losable: readonly number[]): Generator<CrashState> {
  for (let mask = 0; mask < 2 ** losable.length; mask += 1) {
    const survivors = losable.filter((_, index) => (mask >> index) & 1).map(whole);
    yield { point, survivors };
  }
}

function* samples(options: PlanOptions): Generator<CrashState> {
  const { windows, prng, tearSectors, firstPoint = 0 } = options;
  const candidates = losableWindows(options);
  while (candidates.length > 0) {
    const window = prng.pick(candidates);
    const first = Math.max(windows.start(window) + 1, firstPoint);
    const point = prng.chance(0.5) ? windows.end(window) : prng.integer(first, windows.end(window));
    const survivalChance = prng.pick([0.1, 0.5, 0.5, 0.9]);
    const survivors: Survivor[] = windows
      .losable(point)
      .filter(() => prng.chance(survivalChance))
      .map(whole);
    tearSome(survivors, windows, tearSectors, prng);
    // Without tears a write that was overtaken by an older one would be a write in part.
    if (tearSectors !== null && prng.chance(0.25)) shuffle(survivors, prng);
    yield { point, survivors };
  }
}

function tearSome(
  survivors: Survivor[],
  { log }: LogWindows,
  tearSectors: TearSectors,
  prng: Prng,
): void {
  if (!prng.chance(0.5)) return;
  const count = Math.min(survivors.length, prng.integer(1, 3));
  for (let round = 0; round < count; round += 1) {
    const index = prng.integer(0, survivors.length - 1);
    const { number } = survivors[index]!;
    survivors[index] = { number, kept: randomTear(log.entries.at(number), tearSectors, prng) };
  }
}

/** Windows that a crash can do something to. */
function losableWindows({ windows, firstPoint = 0 }: PlanOptions): number[] {
  const all = Array.from({ length: windows.count }, (_, window) => window);
  return all.filter(
    (window) => windows.end(window) >= Math.max(firstPoint, 1) && windows.canLose(window),
  );
}

/** All numbers below `count`, each next one far from those before: 0, 1/2, 1/4, 3/4, 1/8 ... of it. */
function* spread(count: number): Generator<number, void> {
  const bits = Math.ceil(Math.log2(Math.max(count, 2)));
  for (let step = 0; step < 2 ** bits; step += 1) {
    const number = reverseBits(step, bits);
    if (number < count) yield number;
  }
}

function reverseBits(value: number, bits: number): number {
  let result = 0;
  for (let bit = 0; bit < bits; bit += 1) result = result * 2 + ((value >>> bit) & 1);
  return result;
}

function choose<T>(items: readonly T[], limit: number, prng: Prng): T[] {
  if (items.length <= limit) return [...items];
  return Array.from({ length: limit }, () => prng.pick(items));
}

/** Fisher and Yates. */
function shuffle<T>(items: T[], prng: Prng): void {
  for (let index = items.length - 1; index > 0; index -= 1) {
    const other = prng.integer(0, index);
    [items[index], items[other]] = [items[other]!, items[index]!];
  }
}
