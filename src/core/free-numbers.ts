/** Gives out the lowest number that nobody has. */

export class FreeNumbers {
  readonly #taken = new Set<number>();
  /** Every number below it is taken. */
  #lowestFree = 0;

  has(number: number): boolean {
    return this.#taken.has(number);
  }

  lowest(): number {
    while (this.#taken.has(this.#lowestFree)) this.#lowestFree += 1;
    return this.#lowestFree;
  }

  take(number: number): void {
    this.#taken.add(number);
  }

  release(number: number): void {
    this.#taken.delete(number);
    this.#lowestFree = Math.min(this.#lowestFree, number);
  }
}
