/** Copies of runs between a caller's bytes and the scratch. */

import { PinnedBuffer } from '../system/pinned-buffer.ts';
import type { CipherEngine } from './cipher-engine.ts';

export class RunCopier {
  readonly #engine: CipherEngine;
  /** Callers have few buffers and come again with them. */
  readonly #pinned = new WeakMap<Uint8Array, PinnedBuffer>();

  constructor(engine: CipherEngine) {
    this.#engine = engine;
  }

  /** To where the data of a run lies. */
  load(source: Uint8Array, sourceOffset: number, lengthBytes: number): void {
    const { calls, memory } = this.#engine;
    const { scratch, dataAt } = memory;
    if (calls === null) {
      scratch.bytes.set(source.subarray(sourceOffset, sourceOffset + lengthBytes), dataAt);
    } else {
      calls.copy(scratch, dataAt, this.#pin(source), sourceOffset, lengthBytes);
    }
  }

  store(target: Uint8Array, targetOffset: number, lengthBytes: number): void {
    const { calls, memory } = this.#engine;
    const { scratch, dataAt } = memory;
    if (calls === null) {
      target.set(scratch.bytes.subarray(dataAt, dataAt + lengthBytes), targetOffset);
    } else {
      calls.copy(this.#pin(target), targetOffset, scratch, dataAt, lengthBytes);
    }
  }

  #pin(bytes: Uint8Array): PinnedBuffer {
    const known = this.#pinned.get(bytes);
    if (known !== undefined) return known;
    const pinned = PinnedBuffer.wrap(bytes);
    this.#pinned.set(bytes, pinned);
    return pinned;
  }
}
