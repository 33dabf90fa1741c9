/** Counts who is in the middle of something, so that an end can wait for them. */

export class Holders {
  #count = 0;
  #wake: (() => void) | null = null;

  /** The function that it returns is to be called once. */
  hold(): () => void {
    this.#count += 1;
    return () => {
      this.#count -= 1;
      if (this.#count === 0) this.#wake?.();
    };
  }

  /** Resolves when there is none. */
  async gone(): Promise<void> {
    while (this.#count > 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
