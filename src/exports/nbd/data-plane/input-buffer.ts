/** Bytes that came from the client and are not consumed yet, contiguous in pinned memory so that payloads are written from where they are. */

import { assert } from '../../../base/assert.ts';
import { PinnedBuffer } from '../../../system/pinned-buffer.ts';

/** How much is asked for unless a long request is under way: room for many small ones at once. */
const WINDOW_BYTES = 256 * 1024;
/** From here on a request is long: no more is asked for than its rest, so that each begins at the front of the buffer, in cached memory. */
const LONG_BYTES = 64 * 1024;
/** What may follow a long request in the same receive: the header of the next one, and little else to move to the front. */
const AHEAD_BYTES = 4096;
/** Up to this much is moved to the front instead of letting the working set wander through the whole buffer. */
const MOVE_BYTES = 64 * 1024;

export class InputBuffer {
  readonly pinned: PinnedBuffer;
  /** Of the first byte not consumed. */
  start = 0;
  /** Up to where the memory was ever used. */
  touchedBytes = 0;
  #end = 0;

  /** `pinned` is from `allocate`. */
  constructor(pinned: PinnedBuffer) {
    this.pinned = pinned;
  }

  /** Room for one request of `maxRequestBytes`, header and payload. */
  static allocate(maxRequestBytes: number, shared = false): PinnedBuffer {
    return PinnedBuffer.allocate(maxRequestBytes + WINDOW_BYTES + MOVE_BYTES, { shared });
  }

  get availableBytes(): number {
    return this.#end - this.start;
  }

  /** Where the next bytes go. */
  get end(): number {
    return this.#end;
  }

  consume(countBytes: number): void {
    this.start += countBytes;
    assert(this.start <= this.#end, 'only bytes that are there are consumed');
  }

  received(countBytes: number): void {
    this.#end += countBytes;
    if (this.#end > this.touchedBytes) this.touchedBytes = this.#end;
  }

  /**
   * Makes room behind `end` and says how many bytes to ask for, when the request under way has `requestBytes` in all
   * (0: not known yet).
   */
  prepare(requestBytes: number): number {
    const { availableBytes } = this;
    const missing = requestBytes - availableBytes;
    const wanted = requestBytes >= LONG_BYTES ? missing + AHEAD_BYTES : WINDOW_BYTES;
    const fits = this.#end + wanted <= this.pinned.lengthBytes;
    if (this.start > 0 && (availableBytes <= MOVE_BYTES || !fits)) this.#moveToFront();
    return Math.min(wanted, this.pinned.lengthBytes - this.#end);
  }

  load(bytes: Uint8Array): void {
    assert(this.#end + bytes.length <= this.pinned.lengthBytes, 'left-over input fits the buffer');
    this.pinned.bytes.set(bytes, this.#end);
    this.received(bytes.length);
  }

  #moveToFront(): void {
    if (this.#end > this.start) this.pinned.bytes.copyWithin(0, this.start, this.#end);
    this.#end -= this.start;
    this.start = 0;
  }
}
