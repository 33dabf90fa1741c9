/** Requests that are not begun yet: they wait for a time, or for message `go`. */

import type { Clock, Timer } from '../../base/clock.ts';
import type { Bio } from '../../core/bio.ts';
import type { Decision, RequestShape, RuleState } from './decide.ts';
import { MAX_MS } from './rule-words.ts';

export interface PendingRequest {
  readonly bio: Bio;
  readonly request: RequestShape;
  readonly decision: Decision;
}

interface Waiting extends PendingRequest {
  timer: Timer | null;
}

export class WaitingRoom {
  readonly #clock: Clock;
  readonly #begin: (pending: PendingRequest) => void;
  readonly #waiting = new Set<Waiting>();
  /** Everything that comes waits. */
  isStalled = false;

  /** `begin` is what they wait for. */
  constructor(clock: Clock, begin: (pending: PendingRequest) => void) {
    this.#clock = clock;
    this.#begin = begin;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** Begins it now or later. */
  enter(pending: PendingRequest): void {
    if (this.isStalled || pending.decision.stall !== null) {
      this.#waiting.add({ ...pending, timer: null });
    } else {
      this.#delay({ ...pending, timer: null });
    }
  }

  #delay(waiting: Waiting): void {
    const { delayMs, fault } = waiting.decision;
    const totalMs = Math.min(MAX_MS, delayMs + (fault?.kind === 'fail' ? fault.afterMs : 0));
    if (totalMs <= 0) {
      this.#leave(waiting);
      return;
    }
    this.#waiting.add(waiting);
    waiting.timer = this.#clock.after(totalMs, () => this.#leave(waiting));
  }

  #leave(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    waiting.timer?.cancel();
    this.#begin(waiting);
  }

  /** Ends the stall; what waits for a rule goes too, or only what waits for `rule`. */
  go(rule?: RuleState): void {
    if (rule === undefined) this.isStalled = false;
    if (this.isStalled) return;
    for (const waiting of [...this.#waiting]) {
      if (waiting.timer !== null) continue;
      if (rule !== undefined && waiting.decision.stall !== rule) continue;
      this.#waiting.delete(waiting);
      this.#delay(waiting);
    }
  }

  /** Begins all at once, whatever they wait for: somebody waits for them to end. */
  empty(): void {
    for (const waiting of [...this.#waiting]) this.#leave(waiting);
  }

  /** Takes all out without beginning any. */
  clear(): Bio[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const { timer } of all) timer?.cancel();
    return all.map(({ bio }) => bio);
  }
}
