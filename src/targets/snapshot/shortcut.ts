/**
 * The way past `map`: while a snapshot has no exception, other threads may read the origin by themselves. What they read is not counted, so before the first
 * exception lets anything change, they are asked to leave.
 *
 * Invariant: `closed` only when no other thread reads by this way any more.
 */

export class Shortcut {
  #state: 'open' | 'closing' | 'closed';
  readonly #waiting: (() => void)[] = [];

  constructor(isOpen: boolean) {
    this.#state = isOpen ? 'open' : 'closed';
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** `renewCopies`: of the device whose copies took the way. */
  close(renewCopies: () => Promise<void>): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    const closed = () => {
      this.#state = 'closed';
      for (const action of this.#waiting.splice(0)) action();
    };
    // Whoever was there is gone or dead.
    renewCopies().then(closed, closed);
  }

  whenClosed(action: () => void): void {
    if (this.#state === 'closed') action();
    else this.#waiting.push(action);
  }
}
