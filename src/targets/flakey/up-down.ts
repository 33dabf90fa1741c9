/**
 * When a flakey device works: up for so long from its making on, then down for so long, and so on. The kernel counts whole seconds
 * since then, and both intervals are whole seconds, so that the changes fall on them.
 */

import type { Clock } from '../../base/clock.ts';

const SECOND_MS = 1000;

export interface UpDownSeconds {
  up: number;
  down: number;
}

export class UpDown {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #upMs: number;
  readonly #cycleMs: number;

  /** Begins now. */
  constructor(clock: Clock, { up, down }: UpDownSeconds) {
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#upMs = up * SECOND_MS;
    this.#cycleMs = (up + down) * SECOND_MS;
  }

  /** Whether it ever changes. */
  get changes(): boolean {
    return this.#upMs > 0 && this.#upMs < this.#cycleMs;
  }

  isUp(): boolean {
    // No look at the clock for a device that is always the same: this is asked for each bio.
    return this.changes ? this.#phaseMs() < this.#upMs : this.#upMs > 0;
  }

  /** Until it goes down; 0: it is down; Infinity: it never does. */
  msUntilDown(): number {
    if (!this.changes) return this.isUp() ? Number.POSITIVE_INFINITY : 0;
    return Math.max(0, this.#upMs - this.#phaseMs());
  }

  /** Until it comes up the next time. */
  msUntilNextUp(): number {
    return this.#cycleMs - this.#phaseMs();
  }

  #phaseMs(): number {
    return (this.#clock.nowMs() - this.#startMs) % this.#cycleMs;
  }
}
