/**
 * A bad state made as simple as it stays bad: the fewest writes that had to reach the disk, or the fewest that had to be lost, whichever
 * are fewer; whole instead of torn; in the log's order; as early as possible.
 */

import { type CrashState, type Survivor, whole } from './crash-state.ts';
import type { LogWindows } from './log-windows.ts';

/** Whether the state is bad. May answer no once nobody wants to wait any longer. */
export type IsBad = (state: CrashState) => Promise<boolean>;

export interface ShrunkState {
  state: CrashState;
  /** Which side is the small one: the writes that reached the disk, or those that did not. */
  side: 'survived' | 'lost';
}

/** A write that did not reach the disk, or in part: `kept` did, as of a survivor. */
interface Loss {
  number: number;
  kept: Survivor['kept'];
}

interface Shrinking {
  windows: LogWindows;
  isBad: IsBad;
  firstPoint: number;
}

export async function shrinkState(
  windows: LogWindows,
  state: CrashState,
  isBad: IsBad,
  firstPoint = 0,
): Promise<ShrunkState> {
  const shrinking = { windows, isBad, firstPoint };
  const survivors = await fewestSurvivors(shrinking, state);
  const losing = await fewestLosses(shrinking, state);
  const survivorCount = survivors.survivors.length;
  const lossCount = losing === null ? Number.POSITIVE_INFINITY : losses(windows, losing).length;
  // That nothing survived says nothing about which of the lost ones was missed.
  const useSurvivors = survivorCount > 0 && survivorCount <= lossCount;
  if (losing === null || lossCount === 0 || useSurvivors)
    return { state: survivors, side: 'survived' };
  return { state: losing, side: 'lost' };
}

async function fewestSurvivors(shrinking: Shrinking, state: CrashState): Promise<CrashState> {
  const { isBad } = shrinking;
  const { point } = state;
  let survivors = await smallestBad(state.survivors, (some) => isBad({ point, survivors: some }));
  for (const [index, { kept, number }] of survivors.entries()) {
    if (kept === null) continue;
    const candidate = survivors.with(index, whole(number));
    if (await isBad({ point, survivors: candidate })) survivors = candidate;
  }
  const inOrder = survivors.toSorted((a, b) => a.number - b.number);
  const isInOrder = inOrder.every((each, index) => each === survivors[index]);
  if (!isInOrder && (await isBad({ point, survivors: inOrder }))) survivors = inOrder;
  const needed = survivors.map(({ number }) => number);
  return await earliest(shrinking, point, needed, (at) => ({ point: at, survivors }));
}

/** null: it is bad only because writes overtook one another. */
async function fewestLosses(shrinking: Shrinking, state: CrashState): Promise<CrashState | null> {
  const { windows, isBad } = shrinking;
  const { point } = state;
  const all = losses(windows, state);
  const without = (some: readonly Loss[], at = point) => losing(windows, at, some);
  if (!(await isBad(without(all)))) return null;
  let lost = await smallestBad(all, (some) => isBad(without(some)));
  for (const [index, { number, kept }] of lost.entries()) {
    if (kept === null) continue;
    const candidate = lost.with(index, { number, kept: null });
    if (await isBad(without(candidate))) lost = candidate;
  }
  const needed = lost.map(({ number }) => number);
  return await earliest(shrinking, point, needed, (at) => without(lost, at));
}

/** What a state lacks, in the log's order. */
function losses(windows: LogWindows, { point, survivors }: CrashState): Loss[] {
  const keptOf = new Map(survivors.map(({ number, kept }) => [number, kept]));
  return windows
    .losable(point)
    .filter((number) => keptOf.get(number) !== null)
    .map((number) => ({ number, kept: keptOf.get(number) ?? null }));
}

/** Everything but the losses is there. */
function losing(windows: LogWindows, point: number, lost: readonly Loss[]): CrashState {
  const lossOf = new Map(lost.map((loss) => [loss.number, loss]));
  const survivors = windows.losable(point).flatMap((number): Survivor[] => {
    const loss = lossOf.get(number);
    if (loss === undefined) return [whole(number)];
    return loss.kept === null ? [] : [{ number, kept: loss.kept }];
  });
  return { point, survivors };
}

/** The first point of the window, behind the entries needed, at which the state is bad; halving, as if it stayed bad from then on. */
async function earliest(
  { windows, isBad, firstPoint }: Shrinking,
  point: number,
  needed: readonly number[],
  stateAt: (point: number) => CrashState,
): Promise<CrashState> {
  const start = windows.flushedCount(point);
  let low = Math.max(start + 1, firstPoint, ...needed.map((number) => number + 1));
  let high = point;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await isBad(stateAt(middle))) high = middle;
    else low = middle + 1;
  }
  return stateAt(high);
}

/** Zeller's ddmin: no single item of what it answers can be left out, though perhaps several at once. */
async function smallestBad<T>(
  items: readonly T[],
  isBad: (some: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  if (items.length > 0 && (await isBad([]))) return [];
  let current = items;
  for (let partCount = 2; current.length > 1; ) {
    const smaller = await leaveOutAPart(current, partCount, isBad);
    if (smaller !== null) {
      current = smaller;
      partCount = Math.max(partCount - 1, 2);
    } else if (partCount >= current.length) {
      return current;
    } else {
      partCount = Math.min(partCount * 2, current.length);
    }
  }
  return current;
}

async function leaveOutAPart<T>(
  items: readonly T[],
  partCount: number,
  isBad: (some: readonly T[]) => Promise<boolean>,
): Promise<readonly T[] | null> {
  for (let part = 0; part < partCount; part += 1) {
    const from = Math.floor((part * items.length) / partCount);
    const to = Math.floor(((part + 1) * items.length) / partCount);
    const rest = [...items.slice(0, from), ...items.slice(to)];
    if (await isBad(rest)) return rest;
  }
  return null;
}
