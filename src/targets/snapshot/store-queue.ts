/** Exceptions that were prepared, in that order: copies end in any order, and stores take exceptions in order of preparation alone. */

import { assert } from '../../base/assert.ts';
import type { PendingException } from './store.ts';

export class StoreQueue {
  /** From `#head` on. */
  #waiting: PendingException[] = [];
  #head = 0;

  get length(): number {
    return this.#waiting.length - this.#head;
  }

  add(exception: PendingException): void {
    this.#waiting.push(exception);
  }

  /** Its copy ended. */
  finish(exception: PendingException, isCopied: boolean): void {
    assert(exception.copy === 'underway', 'an exception is committed once');
    exception.copy = isCopied ? 'done' : 'failed';
  }

  /** The first, if its copy has ended; null else. */
  take(): PendingException | null {
    const first = this.#waiting[this.#head];
    if (first === undefined || first.copy === 'underway') return null;
    this.#head += 1;
    if (this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return first;
  }
}
