/**
 * Memory that encrypted writes are sent from. A target has its own, a bounded amount: targets that stand on each other and shared one pool would wait for
 * each other for ever. What has to wait is started in order as memory comes back.
 */

import { flushPlug } from '../../core/plug.ts';
import type { TargetMemory } from '../../core/target-memory.ts';

/** Half of a processor's second-level cache, so that what was encrypted is written from there. */
export const BOUNCE_BYTES = 128 * 1024;

/** What waits for memory. */
export interface BounceWaiter {
  start(bounce: Uint8Array): void;
}

export class BouncePool {
  readonly #memory: TargetMemory;
  readonly #free: Uint8Array[] = [];
  readonly #waiting: BounceWaiter[] = [];
  #count = 0;
  #isStarting = false;

  constructor(memory: TargetMemory) {
    this.#memory = memory;
  }

  /** `BOUNCE_BYTES`, or null: everything is under way. */
  take(): Uint8Array | null {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#count * BOUNCE_BYTES < this.#memory.limitBytes) {
      this.#count += 1;
      return this.#memory.takeMemory(BOUNCE_BYTES);
    }
    // What is held back to be joined with neighbours has some of it.
    flushPlug();
    return this.#free.pop() ?? null;
  }

  /** Calls `start` when memory comes back. */
  wait(waiter: BounceWaiter): void {
    this.#waiting.push(waiter);
  }

  /** Whoever is started and ends at once gets here again, and leaves the rest to the loop: thousands may wait, and the stack is not that deep. */
  giveBack(bounce: Uint8Array): void {
    this.#free.push(bounce);
    if (this.#isStarting) return;
    this.#isStarting = true;
    while (this.#free.length > 0 && this.#waiting.length > 0) {
      this.#waiting.shift()!.start(this.#free.pop()!);
    }
    this.#isStarting = false;
  }

  /** Nothing is under way any more. */
  close(): void {
    for (const bounce of this.#free.splice(0)) this.#memory.freeMemory(bounce);
    this.#count = 0;
  }
}
