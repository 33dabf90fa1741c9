/** Bios of one kind that a delay target holds. All of them wait equally long, so the one that came first is due first. */

import type { Bio } from '../core/bio.ts';

export interface HeldBio {
  bio: Bio;
  dueMs: number;
  /** Counts all bios of the target. */
  arrival: number;
}

/** So many places in front may be empty before the others move up. */
const COMPACT_COUNT = 1024;

export class DelayQueue {
  #held: HeldBio[] = [];
  #takenCount = 0;

  get count(): number {
    return this.#held.length - this.#takenCount;
  }

  get first(): HeldBio | undefined {
    return this.#held[this.#takenCount];
  }

  add(held: HeldBio): void {
    this.#held.push(held);
  }

  /** The first one, which must be there. */
  take(): HeldBio {
    const held = this.#held[this.#takenCount]!;
    this.#takenCount += 1;
    if (this.#takenCount === this.#held.length) {
      this.#held = [];
      this.#takenCount = 0;
    } else if (this.#takenCount >= COMPACT_COUNT && this.#takenCount * 2 >= this.#held.length) {
      this.#held = this.#held.slice(this.#takenCount);
      this.#takenCount = 0;
    }
    return held;
  }
}
