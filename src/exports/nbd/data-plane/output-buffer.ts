/** Replies gathered for one send. Read data lands here straight from the disk, behind the header that announces it. */

import { Errno } from '../../../base/errors.ts';
import type { System } from '../../../system/index.ts';
import { PinnedBuffer } from '../../../system/pinned-buffer.ts';
import { MessageFlag } from '../../../system/socket-calls.ts';
import { SLEEP_MS } from './waiter.ts';

/** More than this is sent before the next request is looked at, so that the client can go on. */
const SEND_AT_BYTES = 256 * 1024;

export class OutputBuffer {
  readonly pinned: PinnedBuffer;
  /** Why the client cannot be written to, 0 while it can. What is gathered for such a client is dropped. */
  error = 0;
  /** Up to where the memory was ever used. */
  touchedBytes = 0;
  readonly #system: Pick<System, 'descriptors' | 'sockets'>;
  readonly #fd: number;
  #usedBytes = 0;
  /** Of the used bytes, those the socket has already. */
  #sentBytes = 0;

  /** `pinned` is from `allocate`. */
  constructor(
    system: Pick<System, 'descriptors' | 'sockets'>,
    options: { fd: number; pinned: PinnedBuffer },
  ) {
    this.pinned = options.pinned;
    this.#system = system;
    this.#fd = options.fd;
  }

  /** For a longest reply of so many bytes. */
  static allocate(maxReplyBytes: number, shared = false): PinnedBuffer {
    return PinnedBuffer.allocate(maxReplyBytes + SEND_AT_BYTES, { shared });
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get isFull(): boolean {
    return this.#usedBytes >= SEND_AT_BYTES;
  }

  /** Where the next reply begins; false when `lengthBytes` more do not fit and must be sent first. */
  hasRoom(lengthBytes: number): boolean {
    return this.#usedBytes + lengthBytes <= this.pinned.lengthBytes;
  }

  /** The reply that was written at `usedBytes` is complete. */
  commit(lengthBytes: number): void {
    this.#usedBytes += lengthBytes;
  }

  /** Sends everything, waiting for the client if need be. */
  send(): void {
    while (!this.trySend()) this.#system.descriptors.waitWritable(this.#fd, SLEEP_MS);
  }

  /** Sends what the socket takes without waiting; false while something is left. */
  trySend(): boolean {
    while (this.#sentBytes < this.#usedBytes && this.error === 0) {
      const left = this.#usedBytes - this.#sentBytes;
      const flags = MessageFlag.dontWait;
      const count = this.#system.sockets.send(this.#fd, this.pinned, this.#sentBytes, left, flags);
      if (count === -Errno.EAGAIN) return false;
      if (count < 0) this.break(-count);
      else this.#sentBytes += count;
    }
    if (this.#usedBytes > this.touchedBytes) this.touchedBytes = this.#usedBytes;
    this.#usedBytes = 0;
    this.#sentBytes = 0;
    return true;
  }

  /** The client is gone. */
  break(error: number): void {
    this.error = error;
  }

  /** Gathers `chunk`, which may be of any length, and sends what does not fit. */
  sendChunk(chunk: Uint8Array): void {
    let done = 0;
    while (done < chunk.length) {
      const count = Math.min(chunk.length - done, this.pinned.lengthBytes - this.#usedBytes);
      this.pinned.bytes.set(chunk.subarray(done, done + count), this.#usedBytes);
      this.#usedBytes += count;
      done += count;
      if (this.isFull) this.send();
    }
  }
}
