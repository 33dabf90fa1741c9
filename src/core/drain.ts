/** One who waits until nothing is under way any more, or gives up. */
export class Drain {
  #finish: ((isDrained: boolean) => void) | null = null;

  get isAwaited(): boolean {
    return this.#finish !== null;
  }

  /** Resolves with true at `finish`, with false when `signal` aborts first. */
  wait(signal: AbortSignal | undefined): Promise<boolean> {
    if (signal?.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const abort = () => this.#end(false);
      signal?.addEventListener('abort', abort, { once: true });
      this.#finish = (isDrained) => {
        signal?.removeEventListener('abort', abort);
        resolve(isDrained);
      };
    });
  }

  finish(): void {
    this.#end(true);
  }

  #end(isDrained: boolean): void {
    const finish = this.#finish;
    this.#finish = null;
    finish?.(isDrained);
  }
}
