/**
 * Which bytes of a read its chunks have brought. A server may send them in any order, but every byte exactly once: without that
 * check a reader could be handed what its buffer held before.
 */

/** Chunks that have not grown together; honest servers send in order, or nearly so. */
const RANGE_LIMIT = 1024;

export type CoverageProblem = 'overlap' | 'fragments';

export class Coverage {
  /** [0, inOrderBytes) is covered. */
  #inOrderBytes = 0;
  /** Starts and ends of what is covered beyond, sorted, apart from each other. */
  #ranges: [start: number, end: number][] | null = null;

  clear(): void {
    this.#inOrderBytes = 0;
    this.#ranges = null;
  }

  /** Records [start, start + length); says what is wrong with it. */
  add(start: number, lengthBytes: number): CoverageProblem | null {
    const end = start + lengthBytes;
    if (start < this.#inOrderBytes) return 'overlap';
    if (this.#ranges === null && start === this.#inOrderBytes) {
      this.#inOrderBytes = end;
      return null;
    }
    return this.#addApart(start, end);
  }

  /** Whether exactly [0, lengthBytes) has come. */
  isComplete(lengthBytes: number): boolean {
    return this.#ranges === null && this.#inOrderBytes === lengthBytes;
  }

  #addApart(start: number, end: number): CoverageProblem | null {
    this.#ranges ??= [];
    const ranges = this.#ranges;
    const index = ranges.findIndex((range) => range[0] >= start);
    const at = index < 0 ? ranges.length : index;
    const before = ranges[at - 1];
    const after = ranges[at];
    if ((before && before[1] > start) || (after && after[0] < end)) return 'overlap';
    if (before && before[1] === start) {
      before[1] = end;
      if (after && after[0] === end) {
        before[1] = after[1];
        ranges.splice(at, 1);
      }
    } else if (after && after[0] === end) {
      after[0] = start;
    } else {
      if (ranges.length >= RANGE_LIMIT) return 'fragments';
      ranges.splice(at, 0, [start, end]);
    }
    this.#absorbFirst(ranges);
    return null;
  }

  #absorbFirst(ranges: [number, number][]): void {
    const first = ranges[0];
    if (!first || first[0] !== this.#inOrderBytes) return;
    this.#inOrderBytes = first[1];
    ranges.shift();
    if (ranges.length === 0) this.#ranges = null;
  }
}
