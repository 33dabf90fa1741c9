/** Memory for requests of all clients together; a small request always has its place. */

export class FrameBudget {
  readonly #totalBytes: number;
  readonly #ownBytes: number;
  #usedBytes = 0;

  /** Up to `ownBytes` of each client are free. */
  constructor({ totalBytes, ownBytes }: { totalBytes: number; ownBytes: number }) {
    this.#totalBytes = totalBytes;
    this.#ownBytes = ownBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** A client goes from holding `before` to holding `after`; false, and nothing changes, when there is not so much. */
  resize(before: number, after: number): boolean {
    const change = this.#counted(after) - this.#counted(before);
    if (change > 0 && this.#usedBytes + change > this.#totalBytes) return false;
    this.#usedBytes += change;
    return true;
  }

  #counted(bytes: number): number {
    return Math.max(0, bytes - this.#ownBytes);
  }
}
