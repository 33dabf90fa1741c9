/** The bad blocks of a dust target: numbers of blocks, and how many writes to each still fail. */

import { DmError } from '../base/errors.ts';

/** More do not fit a Map. */
const BLOCK_LIMIT = 2 ** 24;

export class BadBlocks {
  readonly #failCounts = new Map<number, number>();

  get count(): number {
    return this.#failCounts.size;
  }

  has(block: number): boolean {
    return this.#failCounts.has(block);
  }

  /** False: it is there already. */
  add(block: number, writeFailCount: number): boolean {
    if (this.#failCounts.has(block)) return false;
    if (this.#failCounts.size === BLOCK_LIMIT) {
      throw new DmError('ENOMEM', `badblock allocation failed: ${BLOCK_LIMIT} blocks are bad`);
    }
    this.#failCounts.set(block, writeFailCount);
    return true;
  }

  /** False: it is not there. */
  remove(block: number): boolean {
    return this.#failCounts.delete(block);
  }

  clear(): void {
    this.#failCounts.clear();
  }

  /** Whether a block from `first` to `last` is bad. */
  hasAny(first: number, last: number): boolean {
    for (let block = first; block <= last; block += 1) if (this.has(block)) return true;
    return false;
  }

  /** Those from `first` to `last`, in any order; by whichever is less to look at, the range or the bad ones. */
  within(first: number, last: number): number[] {
    if (last - first < this.#failCounts.size) {
      const all = Array.from({ length: last - first + 1 }, (_, index) => first + index);
      return all.filter((block) => this.has(block));
    }
    return [...this.#failCounts.keys()].filter((block) => block >= first && block <= last);
  }

  /**
   * A write of blocks from `first` to `last`: null when it fails, because of a block with failures left, which then has one less. Else
   * those that were bad and are no longer.
   */
  write(first: number, last: number): readonly number[] | null {
    const written = this.within(first, last);
    const failing = written.filter((block) => this.#failCounts.get(block)! > 0);
    for (const block of failing) {
      this.#failCounts.set(block, this.#failCounts.get(block)! - 1);
    }
    if (failing.length > 0) return null;
    for (const block of written) this.#failCounts.delete(block);
    return written;
  }

  sorted(): number[] {
    return [...this.#failCounts.keys()].sort((a, b) => a - b);
  }
}
