/** When a disk could fail a request, so that an error at that time is no surprise. */
export class Trouble {
  #lastTick = -1;
  #count = 0;

  begin(): void {
    this.#count += 1;
  }

  /** One of those that began is over. */
  end(tick: number): void {
    this.#count -= 1;
    this.#lastTick = tick;
  }

  /** Whether there was any at `tick` or later. */
  since(tick: number): boolean {
    return this.#count > 0 || this.#lastTick >= tick;
  }
}
