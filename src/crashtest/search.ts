/**
 * Looks for bad states: as many checks at a time as there are seats, equal states once, until the budget is spent or nothing new comes; then makes
 * what it found small.
 */

import type { Clock } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';
import type { Prng } from '../base/prng.ts';
import { type CrashState, formatState } from './crash-state.ts';
import { shrinkState } from './shrink.ts';
import type { StateImage, StateImages } from './state-image.ts';
import { crashPoints, isCrashPoint, type PlannedState, planStates } from './state-plan.ts';
import type { TearSectors } from './tear.ts';

/** A state that somebody is to look at. */
export interface OfferedState {
  /** Brings it back. */
  readonly word: string;
  readonly point: number;
  readonly image: StateImage;
  /** The last thing that the workload said before the power failed; null: nothing. */
  readonly mark: string | null;
}

export interface Verdict {
  isGood: boolean;
  /** What the check had to say. */
  output: string;
  /** What it threw. */
  cause?: unknown;
}

/** One place to look at states, one at a time. null: the search's signal interrupted it. Rejects when states cannot be looked at at all. */
export type Seat = (state: OfferedState) => Promise<Verdict | null>;

export interface SearchBudget {
  /** Checks; default: any number. */
  stateCount?: number;
  timeMs?: number;
}

export interface SearchOptions {
  images: StateImages;
  seats: readonly Seat[];
  prng: Prng;
  clock: Clock;
  tearSectors: TearSectors;
  budget: SearchBudget;
  /** No state is of a crash before it. */
  firstPoint: number;
  /** Ends after so many different failures. */
  failureLimit: number;
  signal?: AbortSignal;
  onProgress?: (progress: SearchProgress) => void;
}

export interface SearchProgress {
  phase: 'search' | 'shrink';
  /** Checks done. */
  stateCount: number;
  failureCount: number;
  elapsedMs: number;
}

export interface BadState {
  state: CrashState;
  side: 'survived' | 'lost';
  mark: string | null;
  output: string;
  cause?: unknown;
  /** As it was found, before it was made small. */
  foundWord: string;
  /** false: a second look at the same state found nothing wrong, so the check does not depend on the disk alone. */
  isRepeatable: boolean;
}

export interface SearchResult {
  failures: BadState[];
  /** Checks done, those for making failures small among them. */
  stateCount: number;
  /** States that were equal to one that had been looked at. */
  duplicateCount: number;
  /** Flushes, writes with FUA and marks: just before, and just after. */
  pointCount: number;
  reachedPointCount: number;
  elapsedMs: number;
  /** Why it ended. `exhausted`: nothing new came any more. */
  ended: 'found' | 'budget' | 'exhausted' | 'interrupted';
}

interface FoundState {
  state: CrashState;
  offered: OfferedState;
  verdict: Verdict;
}

/** So many samples in a row that were known already: there are no others, or hardly any. */
const STALE_SAMPLES = 2000;
/** Of one failure; as large as it is then it stays. */
const SHRINK_CHECKS = 400;
/** Slow checks, and those that hang, get less: as long as the search may take, within these. */
const SHRINK_MS = { least: 10_000, most: 300_000 };
/** Duplicates. */
const BREATHE_EVERY = 32;

function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Rejects with DmError where there is nothing to search: a test that tests nothing must not pass. */
export async function searchStates(options: SearchOptions): Promise<SearchResult> {
  const { images, firstPoint } = options;
  if (!images.log.entries.hasWritesFrom(firstPoint)) {
    throw new DmError('EINVAL', 'Cannot test: nothing was written to the disk');
  }
  return await new Search(options).run();
}

class Search {
  readonly #options: SearchOptions;
  readonly #plan: Generator<PlannedState, void>;
  readonly #startMs: number;
  /** Of what has been looked at: good or not. */
  readonly #verdicts = new Map<string, boolean>();
  readonly #pointCount: number;
  readonly #reachedPoints = new Set<number>();
  readonly #found: FoundState[] = [];
  readonly #failures: BadState[] = [];
  /** Checks begun, and those done. */
  #begunCount = 0;
  #stateCount = 0;
  #duplicateCount = 0;
  #staleCount = 0;
  #isExhausted = false;

  constructor(options: SearchOptions) {
    const { images, prng, tearSectors, firstPoint, clock } = options;
    this.#options = options;
    this.#plan = planStates({ windows: images.windows, prng, tearSectors, firstPoint });
    this.#pointCount = crashPoints(images.windows, firstPoint).length;
    this.#startMs = clock.nowMs();
  }

  async run(): Promise<SearchResult> {
    do {
      await Promise.all(this.#options.seats.map((seat) => this.#useSeat(seat)));
      for (const found of this.#found.splice(0)) {
        // Seats that were busy when another found something may have found more than is wanted.
        if (!this.#hasEnough()) await this.#shrink(found);
      }
    } while (!this.#isOver());
    return {
      failures: this.#failures,
      stateCount: this.#stateCount,
      duplicateCount: this.#duplicateCount,
      pointCount: this.#pointCount,
      reachedPointCount: this.#reachedPoints.size,
      elapsedMs: this.#elapsedMs(),
      ended: this.#ending(),
    };
  }

  #ending(): SearchResult['ended'] {
    if (this.#options.signal?.aborted) return 'interrupted';
    if (this.#hasEnough()) return 'found';
    return this.#isExhausted ? 'exhausted' : 'budget';
  }

  #isOver(): boolean {
    return this.#isExhausted || this.#isSpent() || this.#hasEnough();
  }

  #hasEnough(): boolean {
    return this.#failures.length >= this.#options.failureLimit;
  }

  #isSpent(): boolean {
    const { budget, signal } = this.#options;
    const { stateCount = Number.POSITIVE_INFINITY, timeMs = Number.POSITIVE_INFINITY } = budget;
    if (signal?.aborted) return true;
    return this.#begunCount >= stateCount || this.#elapsedMs() >= timeMs;
  }

  #elapsedMs(): number {
    return this.#options.clock.nowMs() - this.#startMs;
  }

  async #useSeat(seat: Seat): Promise<void> {
    while (!this.#isOver() && this.#found.length === 0) {
      const next = await this.#nextNew();
      if (next === null) return;
      const { state, offered } = next;
      const verdict = await this.#look(seat, offered);
      if (verdict === null) return;
      if (!verdict.isGood) this.#found.push({ state, offered, verdict });
    }
  }

  /** The next state of the plan that is not equal to one before. */
  async #nextNew(): Promise<{ state: CrashState; offered: OfferedState } | null> {
    for (;;) {
      const { value, done } = this.#plan.next();
      if (done || this.#staleCount >= STALE_SAMPLES) {
        this.#isExhausted = true;
        return null;
      }
      const { state, kind } = value;
      if (this.#isCrashPoint(state.point)) this.#reachedPoints.add(state.point);
      const offered = this.#offer(state);
      const key = keyOf(offered);
      if (!this.#verdicts.has(key)) {
        this.#staleCount = 0;
        this.#verdicts.set(key, true); // Until told otherwise; nobody else is to look meanwhile.
        return { state, offered };
      }
      this.#duplicateCount += 1;
      if (kind === 'sample') this.#staleCount += 1;
      // The checks under way wait for this thread to serve their disks.
      if (this.#duplicateCount % BREATHE_EVERY === 0) await breathe();
      if (this.#isSpent()) return null;
    }
  }

  #isCrashPoint(point: number): boolean {
    const { images, firstPoint } = this.#options;
    return isCrashPoint(images.windows, point, firstPoint);
  }

  #offer(state: CrashState): OfferedState {
    const { images } = this.#options;
    const { windows } = images;
    return {
      word: formatState(windows, state),
      point: state.point,
      image: images.build(state),
      mark: windows.markBefore(state.point),
    };
  }

  async #look(seat: Seat, offered: OfferedState, phase: 'search' | 'shrink' = 'search') {
    this.#begunCount += 1;
    const verdict = await seat(offered);
    if (verdict === null) return null;
    this.#stateCount += 1;
    this.#verdicts.set(keyOf(offered), verdict.isGood);
    const failureCount = this.#failures.length + this.#found.length;
    const elapsedMs = this.#elapsedMs();
    this.#options.onProgress?.({ phase, stateCount: this.#stateCount, failureCount, elapsedMs });
    return verdict;
  }

  async #shrink({ state, offered, verdict: first }: FoundState): Promise<void> {
    const { images, firstPoint, seats, signal, budget } = this.#options;
    /** What the check said of each bad state on the way, by its word. */
    const seen = new Map<string, Pick<BadState, 'mark' | 'output' | 'cause'>>();
    const { timeMs = SHRINK_MS.most } = budget;
    const limitMs = Math.min(Math.max(timeMs, SHRINK_MS.least), SHRINK_MS.most);
    const endMs = this.#elapsedMs() + limitMs;
    let checksLeft = SHRINK_CHECKS;
    const isBad = async (candidate: CrashState): Promise<boolean> => {
      const other = this.#offer(candidate);
      const isKnownGood = this.#verdicts.get(keyOf(other)) === true;
      const isTooLate = checksLeft === 0 || this.#elapsedMs() >= endMs;
      if (isKnownGood || isTooLate || signal?.aborted) return false;
      checksLeft -= 1;
      const verdict = await this.#look(seats[0]!, other, 'shrink');
      if (verdict?.isGood !== false) return false;
      const { output, cause } = verdict;
      seen.set(other.word, { mark: other.mark, output, cause });
      return true;
    };
    const { output, cause } = first;
    const found = { state, side: 'survived', mark: offered.mark, output, cause } as const;
    const isRepeatable = await isBad(state);
    const shrunk = isRepeatable
      ? await shrinkState(images.windows, state, isBad, firstPoint)
      : found;
    const said = seen.get(formatState(images.windows, shrunk.state));
    this.#add({ ...found, ...shrunk, ...said, foundWord: offered.word, isRepeatable });
  }

  /** Different ways to the same small state are one failure. */
  #add(failure: BadState): void {
    const { windows } = this.#options.images;
    const word = formatState(windows, failure.state);
    if (this.#failures.some(({ state }) => formatState(windows, state) === word)) return;
    this.#failures.push(failure);
  }
}

/** The check sees the content and the mark, and nothing else. */
function keyOf({ image, mark }: OfferedState): string {
  return `${image.contentWord} ${mark ?? ''}`;
}
