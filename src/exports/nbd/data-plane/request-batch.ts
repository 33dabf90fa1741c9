/**
 * Requests that go to the main thread together: those that one look at the input found. A message costs both threads more than a small request does, and
 * neighbours that arrive together become one call of the system there.
 *
 * They lie in one piece of memory, payloads first, so that these are aligned as the requests' lengths are.
 */

import type { FromWorker } from './messages.ts';

/** More than this is sent at once: a batch keeps its memory until the last of its requests ended. */
const FULL_BYTES = 256 * 1024;

type Message = Extract<FromWorker, { kind: 'requests' }>;

export class RequestBatch {
  readonly #headerBytes: number;
  readonly #input: Uint8Array;
  /** Of each request: where its header lies in the input; the payload follows there. */
  #starts: number[] = [];
  #payloadLengths: number[] = [];
  #payloadBytes = 0;
  #firstId = 0;

  /** Nothing in `input` that was added may change until `take`. */
  constructor(input: Uint8Array, headerBytes: number) {
    this.#input = input;
    this.#headerBytes = headerBytes;
  }

  get isFull(): boolean {
    return this.#payloadBytes >= FULL_BYTES;
  }

  /** Numbers follow each other. */
  add(id: number, start: number, payloadBytes: number): void {
    if (this.#starts.length === 0) this.#firstId = id;
    this.#starts.push(start);
    this.#payloadLengths.push(payloadBytes);
    this.#payloadBytes += payloadBytes;
  }

  /** null: there is none. */
  take(): Message | null {
    const starts = this.#starts;
    if (starts.length === 0) return null;
    const payloadLengths = this.#payloadLengths;
    const message: Message = {
      kind: 'requests',
      firstId: this.#firstId,
      bytes: this.#copied(),
      payloadLengths,
    };
    this.#starts = [];
    this.#payloadLengths = [];
    this.#payloadBytes = 0;
    return message;
  }

  #copied(): Uint8Array<ArrayBuffer> {
    const input = this.#input;
    const headerBytes = this.#headerBytes;
    const bytes = new Uint8Array(this.#payloadBytes + headerBytes * this.#starts.length);
    let payloadAt = 0;
    let headerAt = this.#payloadBytes;
    this.#starts.forEach((start, index) => {
      const bodyAt = start + headerBytes;
      const length = this.#payloadLengths[index]!;
      if (length > 0) bytes.set(input.subarray(bodyAt, bodyAt + length), payloadAt);
      bytes.set(input.subarray(start, bodyAt), headerAt);
      payloadAt += length;
      headerAt += headerBytes;
    });
    return bytes;
  }
}

/** `headerAt`: in the batch's bytes. `payload`: null where there is none. */
type Visit = (id: number, headerAt: number, payload: Uint8Array | null) => void;

/** What `RequestBatch` made, request by request. */
export function forEachRequest(message: Message, headerBytes: number, visit: Visit): void {
  const { firstId, bytes, payloadLengths } = message;
  let payloadAt = 0;
  let headerAt = bytes.length - headerBytes * payloadLengths.length;
  payloadLengths.forEach((length, index) => {
    const payload = length > 0 ? bytes.subarray(payloadAt, payloadAt + length) : null;
    visit(firstId + index, headerAt, payload);
    payloadAt += length;
    headerAt += headerBytes;
  });
}
