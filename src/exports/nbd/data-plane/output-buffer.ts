/** Replies gathered for one send. Read data lands here straight from the disk, behind the header that announces it. */

import { Errno } from '../../../base/errors.ts';
import type { System } from '../../../system/index.ts';
import { PinnedBuffer } from '../../../system/pinned-buffer.ts';
import { MessageFlag } from '../../../system/socket-calls.ts';

/** More than this is sent before the next request is looked at, so that the client can go on. */
const SEND_AT_BYTES = 256 * 1024;

export class OutputBuffer {
  readonly pinned: PinnedBuffer;
  readonly #system: System;
  readonly #fd: number;
  #usedBytes = 0;
  /** Of the used bytes, those the socket has already. */
  #sentBytes = 0;

  constructor(system: System, fd: number, maxReplyBytes: number) {
    this.pinned = PinnedBuffer.allocate(maxReplyBytes + SEND_AT_BYTES);
    this.#system = system;
    this.#fd = fd;
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

  /** Sends everything, waiting for the client if need be; 0 or an errno. */
  send(): number {
    for (;;) {
      const error = this.trySend();
      if (error !== Errno.EAGAIN) return error;
      this.#system.descriptors.waitWritable(this.#fd, -1);
    }
  }

  /** Sends what the socket takes without waiting; EAGAIN while something is left. */
  trySend(): number {
    while (this.#sentBytes < this.#usedBytes) {
      const left = this.#usedBytes - this.#sentBytes;
      const flags = MessageFlag.dontWait;
      const count = this.#system.sockets.send(this.#fd, this.pinned, this.#sentBytes, left, flags);
      if (count < 0) return -count;
      this.#sentBytes += count;
    }
    this.#usedBytes = 0;
    this.#sentBytes = 0;
    return 0;
  }

  /** Sends what is gathered and then `chunk`, which may be of any length. */
  sendChunk(chunk: Uint8Array): number {
    let done = 0;
    while (done < chunk.length) {
      const count = Math.min(chunk.length - done, this.pinned.lengthBytes - this.#usedBytes);
      this.pinned.bytes.set(chunk.subarray(done, done + count), this.#usedBytes);
      this.#usedBytes += count;
      done += count;
      if (!this.isFull) continue;
      const error = this.send();
      if (error !== 0) return error;
    }
    return 0;
  }
}
