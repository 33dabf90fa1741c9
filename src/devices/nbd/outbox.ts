/**
 * Gathers what one turn of the event loop sends into as few writes as possible. Headers and small payloads are copied end to end
 * into recycled buffers; large payloads go out from where they are.
 */

import type { Wire } from './wire.ts';

const BUFFER_BYTES = 128 * 1024;
const SPARE_BUFFERS = 4;
/** Copying this much costs less than another part of a write. */
const COPY_LIMIT_BYTES = 16 * 1024;

export class Outbox {
  readonly #wire: Wire;
  #parts: Uint8Array[] = [];
  /** Filled up to `#used`; what is before `#partStart` is in `#parts` already. */
  #buffer: Buffer = Buffer.alloc(BUFFER_BYTES);
  #used = 0;
  #partStart = 0;
  /** Full buffers that this batch refers to. */
  #full: Buffer[] = [];
  readonly #spare: Buffer[] = [];
  #queuedBytes = 0;
  #flushedBytes = 0;
  #scheduled = false;
  readonly #flush = () => this.flush();

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** All bytes ever put in. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** How many of them the system has taken over: the server cannot have seen more. */
  get flushedBytes(): number {
    return this.#flushedBytes;
  }

  /** Room for `lengthBytes` at the returned place of `buffer`, to be filled at once. */
  reserve(lengthBytes: number): number {
    if (this.#used + lengthBytes > BUFFER_BYTES) this.#nextBuffer();
    const at = this.#used;
    this.#used += lengthBytes;
    this.#queuedBytes += lengthBytes;
    this.#schedule();
    return at;
  }

  get buffer(): Uint8Array {
    return this.#buffer;
  }

  /** Bytes that stay as they are until the server has answered. */
  append(data: Uint8Array): void {
    if (data.length <= COPY_LIMIT_BYTES) {
      const at = this.reserve(data.length);
      this.#buffer.set(data, at);
      return;
    }
    this.#closePart();
    this.#parts.push(data);
    this.#queuedBytes += data.length;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#flush);
  }

  /** Hands everything to the wire. Happens by itself at the end of the turn. */
  flush(): void {
    this.#scheduled = false;
    this.#closePart();
    if (this.#parts.length === 0) return;
    const parts = this.#parts;
    const full = this.#full;
    const endBytes = this.#queuedBytes;
    this.#parts = [];
    this.#full = [];
    // The rest of the buffer serves the next batch; it is recycled with the batch that fills it.
    this.#wire.write(parts, () => {
      this.#flushedBytes = endBytes;
      for (const buffer of full) if (this.#spare.length < SPARE_BUFFERS) this.#spare.push(buffer);
    });
  }

  #closePart(): void {
    if (this.#used === this.#partStart) return;
    this.#parts.push(this.#buffer.subarray(this.#partStart, this.#used));
    this.#partStart = this.#used;
  }

  #nextBuffer(): void {
    this.#closePart();
    this.#full.push(this.#buffer);
    this.#buffer = this.#spare.pop() ?? Buffer.alloc(BUFFER_BYTES);
    this.#used = 0;
    this.#partStart = 0;
  }
}
