/** The memory that bios of a worker may name: its buffers for requests, and what targets of its copy take for themselves. */

import type { TargetMemory } from '../../core/target-memory.ts';
import { PinnedBuffer } from '../../system/pinned-buffer.ts';

/** What is encrypted here is written at once, from the processor's cache. */
const LIMIT_BYTES = 256 * 1024;

export class ReplicaMemory implements TargetMemory {
  /** All there is, in use or not. */
  readonly buffers: PinnedBuffer[];
  readonly limitBytes = LIMIT_BYTES;
  readonly #free: PinnedBuffer[] = [];

  constructor(own: readonly PinnedBuffer[]) {
    this.buffers = [...own];
  }

  /** Memory that was given back goes to the next copy. */
  readonly takeMemory = (lengthBytes: number): Uint8Array => {
    const index = this.#free.findIndex((buffer) => buffer.lengthBytes === lengthBytes);
    if (index >= 0) return this.#free.splice(index, 1)[0]!.bytes;
    // Shared: an assistant may fill it.
    const buffer = PinnedBuffer.allocate(lengthBytes, { shared: true });
    this.buffers.push(buffer);
    return buffer.bytes;
  };

  readonly freeMemory = (memory: Uint8Array): void => {
    const buffer = this.buffers.find(({ bytes }) => bytes === memory);
    if (buffer !== undefined) this.#free.push(buffer);
  };
}
