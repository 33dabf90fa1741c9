/**
 * What is under way in which chunk, so that who is about to change a chunk below others can wait for them: reads of the origin through a snapshot, writes to
 * the COW device during a merge.
 *
 * Nobody starves: who waits has made sure before that no others come.
 */

import { assert } from '../../base/assert.ts';

export class ChunkUsers {
  readonly #counts = new Map<number, number>();
  readonly #waiting = new Map<number, (() => void)[]>();

  begin(chunk: number): void {
    this.#counts.set(chunk, (this.#counts.get(chunk) ?? 0) + 1);
  }

  end(chunk: number): void {
    const count = this.#counts.get(chunk);
    assert(count !== undefined, `somebody uses chunk ${chunk}`);
    if (count > 1) {
      this.#counts.set(chunk, count - 1);
      return;
    }
    this.#counts.delete(chunk);
    if (this.#waiting.size > 0) this.#wake(chunk);
  }

  #wake(chunk: number): void {
    const actions = this.#waiting.get(chunk);
    if (actions === undefined) return;
    this.#waiting.delete(chunk);
    for (const action of actions) action();
  }

  has(chunk: number): boolean {
    return this.#counts.has(chunk);
  }

  /** Runs `action` when nobody uses the chunk, which may be now. */
  whenNone(chunk: number, action: () => void): void {
    if (!this.#counts.has(chunk)) {
      action();
      return;
    }
    const actions = this.#waiting.get(chunk);
    if (actions === undefined) this.#waiting.set(chunk, [action]);
    else actions.push(action);
  }

  /** Resolves when nobody uses any of the chunks. */
  async noneIn(firstChunk: number, chunkCount: number): Promise<void> {
    // A run has thousands of chunks, and hardly ever one in use.
    if (this.#counts.size === 0) return;
    for (let chunk = firstChunk; chunk < firstChunk + chunkCount; chunk += 1) {
      if (this.has(chunk)) await new Promise<void>((resolve) => this.whenNone(chunk, resolve));
    }
  }
}
