/** A number that events raise, and those who wait for it to change. */

export class EventCounter {
  #number = 0;
  #waiters: (() => void)[] = [];

  get number(): number {
    return this.#number;
  }

  /** 32 bits without a sign, as the kernel's goes over the interface. */
  raise(): void {
    this.#number = (this.#number + 1) >>> 0;
    this.wake();
  }

  /** Lets everybody who waits look again, though nothing was counted. */
  wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  /** Resolves at the first moment when `isOver`, asked now and whenever somebody is woken; rejects when `signal` aborts. */
  async waitUntil(isOver: () => boolean, signal?: AbortSignal): Promise<void> {
    while (!isOver()) await this.#nextWake(signal);
  }

  #nextWake(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const wake = () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      const abort = () => {
        this.#waiters = this.#waiters.filter((waiter) => waiter !== wake);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.push(wake);
    });
  }
}
