/**
 * Gathers what is to be sent into as few writes as possible. Headers and small payloads are copied end to end into recycled
 * buffers; large payloads go out from where they are.
 *
 * What goes out in one write is a segment. It ends with a large payload, if it has one, because only the end of a write is
 * reported: so it is known of every large payload when the system is done with it.
 */

import type { Wire } from './wire.ts';

const BUFFER_BYTES = 128 * 1024;
const SPARE_BUFFERS = 4;
/** Copying this much costs less than another part of a write. */
const COPY_LIMIT_BYTES = 16 * 1024;

interface Segment {
  parts: Uint8Array[];
  /** Full buffers of ours that nothing after this segment refers to. */
  full: Buffer[];
  /** Where it ends in the stream. */
  endBytes: number;
}

export class Outbox {
  readonly #wire: Wire;
  #segment: Segment = { parts: [], full: [], endBytes: 0 };
  /** Complete, but behind the one that is being written. */
  readonly #queue: Segment[] = [];
  #writing = false;
  /** Filled up to `#used`; what is before `#partStart` is in a segment already. */
  #buffer: Buffer = Buffer.alloc(BUFFER_BYTES);
  #used = 0;
  #partStart = 0;
  readonly #spare: Buffer[] = [];
  #queuedBytes = 0;
  #begunBytes = 0;
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

  /** How many of them may have left: the server cannot have seen more. */
  get begunBytes(): number {
    return this.#begunBytes;
  }

  /** How many of them the system has taken over: our memory is free again up to there. */
  get flushedBytes(): number {
    return this.#flushedBytes;
  }

  get buffer(): Uint8Array {
    return this.#buffer;
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

  /** Returns whether the data was copied; if not, it must stay as it is until `flushedBytes` has passed it. */
  append(data: Uint8Array): boolean {
    if (data.length <= COPY_LIMIT_BYTES) {
      const at = this.reserve(data.length);
      this.#buffer.set(data, at);
      return true;
    }
    this.#closePart();
    this.#segment.parts.push(data);
    this.#queuedBytes += data.length;
    this.#closeSegment();
    this.#schedule();
    return false;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#flush);
  }

  /** Starts writing, if nothing is being written. Happens by itself at the end of the turn. */
  flush(): void {
    this.#scheduled = false;
    if (this.#writing) return;
    if (this.#queue.length === 0) this.#closeSegment();
    const segment = this.#queue.shift();
    if (!segment) return;
    this.#writing = true;
    this.#begunBytes = segment.endBytes;
    this.#wire.write(segment.parts, () => {
      this.#flushedBytes = segment.endBytes;
      for (const buffer of segment.full) {
        if (this.#spare.length < SPARE_BUFFERS) this.#spare.push(buffer);
      }
      this.#writing = false;
      this.flush();
    });
  }

  #closeSegment(): void {
    this.#closePart();
    if (this.#segment.parts.length === 0) return;
    this.#segment.endBytes = this.#queuedBytes;
    this.#queue.push(this.#segment);
    this.#segment = { parts: [], full: [], endBytes: 0 };
  }

  #closePart(): void {
    if (this.#used === this.#partStart) return;
    this.#segment.parts.push(this.#buffer.subarray(this.#partStart, this.#used));
    this.#partStart = this.#used;
  }

  #nextBuffer(): void {
    this.#closePart();
    this.#segment.full.push(this.#buffer);
    this.#buffer = this.#spare.pop() ?? Buffer.alloc(BUFFER_BYTES);
    this.#used = 0;
    this.#partStart = 0;
  }
}
