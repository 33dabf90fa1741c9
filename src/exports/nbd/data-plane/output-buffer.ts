/** Replies gathered for one send. Read data lands here straight from the disk, behind the header that announces it. */

import { Errno } from '../../../base/errors.ts';
import { PinnedBuffer } from '../../../system/pinned-buffer.ts';
import { MessageFlag, type SocketCalls } from '../../../system/socket-calls.ts';

/** More than this is sent before the next request is looked at, so that the client can go on. */
const SEND_AT_BYTES = 256 * 1024;

export class OutputBuffer {
  readonly pinned: PinnedBuffer;
  readonly #sockets: SocketCalls;
  readonly #fd: number;
  #usedBytes = 0;

  constructor(sockets: SocketCalls, fd: number, maxReplyBytes: number) {
    this.pinned = PinnedBuffer.allocate(maxReplyBytes + SEND_AT_BYTES);
    this.#sockets = sockets;
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
    const error = this.#sendRange(this.pinned, 0, this.#usedBytes);
    this.#usedBytes = 0;
    return error;
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

  #sendRange(buffer: PinnedBuffer, from: number, to: number): number {
    let start = from;
    while (start < to) {
      const count = this.#sockets.send(this.#fd, buffer, start, to - start, MessageFlag.none);
      if (count === -Errno.EINTR) continue;
      if (count < 0) return -count;
      start += count;
    }
    return 0;
  }
}
