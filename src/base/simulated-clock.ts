/** A clock whose time passes only when told: what takes hours in a simulation takes no time, and comes in the same order each run. */

import { assert } from './assert.ts';
import type { Clock, Timer } from './clock.ts';

interface PendingTimer {
  dueMs: number;
  action: () => void;
  background: boolean;
}

/** 2000-01-01, so that wall times in failure messages look like what they are. */
const WALL_START_MS = 946_684_800_000;
/** A simulation that runs so many timers without coming to rest runs in a circle. */
const TIMER_LIMIT = 10_000_000;

export class SimulatedClock implements Clock {
  readonly #timers: PendingTimer[] = [];
  #nowMs = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return WALL_START_MS + this.#nowMs;
  }

  /** How many timers are set that keep `runUntilIdle` going. */
  get pendingCount(): number {
    return this.#timers.filter((timer) => !timer.background).length;
  }

  after(delayMs: number, action: () => void, options?: { background?: boolean }): Timer {
    assert(!Number.isNaN(delayMs), 'a delay is a number');
    const dueMs = this.#nowMs + Math.max(0, delayMs);
    const background = options?.background ?? false;
    const timer = { dueMs, action, background };
    this.#timers.splice(this.#indexBehind(dueMs), 0, timer);
    return { cancel: () => this.#remove(timer) };
  }

  /** Lets `durationMs` pass and runs what becomes due, with all that promises have to do in between. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await settle();
    while ((this.#timers[0]?.dueMs ?? Number.POSITIVE_INFINITY) <= endMs) {
      this.#runNext();
      await settle();
    }
    this.#nowMs = endMs;
  }

  /** Lets time pass until no timer is set but background ones, which run as long as others are. */
  async runUntilIdle(): Promise<void> {
    await settle();
    for (let count = 0; this.pendingCount > 0; count += 1) {
      if (count === TIMER_LIMIT) throw new Error(`No rest after ${TIMER_LIMIT} simulated timers`);
      this.#runNext();
      await settle();
    }
  }

  #runNext(): void {
    const timer = this.#timers.shift();
    if (!timer) return;
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    timer.action();
  }

  /** Sorted by due time; timers due at one moment run in the order they were set. */
  #indexBehind(dueMs: number): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#timers[middle]!.dueMs <= dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #remove(timer: PendingTimer): void {
    const index = this.#timers.indexOf(timer);
    if (index >= 0) this.#timers.splice(index, 1);
  }
}

/** Resolves when every promise that could go on has gone on. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
