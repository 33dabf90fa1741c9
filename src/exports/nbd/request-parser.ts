/**
 * Cuts a stream into requests. Bytes come in pieces of any size; a payload that arrived whole is handed on without a copy,
 * any other is gathered in a buffer of its size.
 *
 * State  | waits for                                    | then
 * -------|----------------------------------------------|--------------------------------------------------
 * header | 28 or 32 bytes                               | admitted, skip, or refused with a FormatError
 * admit  | `resume`, when the receiver has room         | payload, or header after a request without one
 * payload| the payload                                  | header
 * skip   | the end of a payload that nobody wants       | header; the request goes on without it, to be refused
 * ended  | nothing, after `stop`                        |
 */

import { FormatError } from '../../base/errors.ts';
import { Command, MAX_PAYLOAD_BYTES } from '../../protocols/nbd/constants.ts';
import { joinBytes } from '../../protocols/nbd/frame-reader.ts';
import {
  createRequest,
  decodeExtendedRequest,
  decodeRequest,
  payloadBytes,
  type Request,
  requestHeaderBytes,
} from '../../protocols/nbd/request.ts';

/** A larger payload of a block status request names no contexts that we have. */
const STATUS_PAYLOAD_LIMIT_BYTES = 4096;
/** A write that is too large is read and refused up to this size, so that the connection survives a small mistake. */
const SKIP_LIMIT_BYTES = 2 * MAX_PAYLOAD_BYTES;
const NOTHING = new Uint8Array(0);

export interface RequestReceiver {
  /** Room for the request and `keptBytes` of payload? false: call the parser's `resume` when there may be. */
  admit(request: Request, keptBytes: number): boolean;
  /** `request` is the parser's again when this returns; the payload is the receiver's. */
  receive(request: Request, payload: Uint8Array | null): void;
}

export class RequestParser {
  readonly #extendedHeaders: boolean;
  readonly #headerBytes: number;
  readonly #receiver: RequestReceiver;
  readonly #request = createRequest();
  readonly #header: Uint8Array;
  #headerFilled = 0;
  #state: 'header' | 'admit' | 'payload' | 'skip' | 'ended' = 'header';
  #input: Uint8Array = NOTHING;
  #at = 0;
  #payload: Uint8Array = NOTHING;
  #payloadFilled = 0;
  #skipBytes = 0;
  /** Payload of the request at hand that the receiver gets. */
  #keptBytes = 0;

  constructor(extendedHeaders: boolean, receiver: RequestReceiver) {
    this.#extendedHeaders = extendedHeaders;
    this.#headerBytes = requestHeaderBytes(extendedHeaders);
    this.#header = new Uint8Array(this.#headerBytes);
    this.#receiver = receiver;
  }

  /** Waits for `resume`: feeding more is allowed but only piles up. */
  get isWaiting(): boolean {
    return this.#state === 'admit';
  }

  /** Bytes that a half-received payload holds. */
  get receivingBytes(): number {
    return this.#state === 'payload' ? this.#payload.length : 0;
  }

  /** Throws FormatError for a stream that cannot be understood any further. */
  feed(bytes: Uint8Array): void {
    const rest = this.#input.length - this.#at;
    this.#input = rest === 0 ? bytes : joinBytes(this.#input.subarray(this.#at), bytes);
    this.#at = 0;
    this.#advance();
  }

  resume(): void {
    if (this.#state !== 'admit' || !this.#admit()) return;
    this.#advance();
  }

  /** Nothing that still comes is looked at. */
  stop(): void {
    this.#state = 'ended';
    this.#input = NOTHING;
    this.#payload = NOTHING;
    this.#at = 0;
  }

  #advance(): void {
    while (this.#step()) {
      // One step is one header, or one piece of payload.
    }
    if (this.#at === this.#input.length) {
      this.#input = NOTHING;
      this.#at = 0;
    }
  }

  #step(): boolean {
    switch (this.#state) {
      case 'header':
        return this.#readHeader();
      case 'payload':
        return this.#readPayload();
      case 'skip':
        return this.#skip();
      case 'admit':
      case 'ended':
        return false;
    }
  }

  #readHeader(): boolean {
    const available = this.#input.length - this.#at;
    if (this.#headerFilled === 0 && available >= this.#headerBytes) {
      this.#decode(this.#input, this.#at);
      this.#at += this.#headerBytes;
      return this.#begin();
    }
    const taken = Math.min(available, this.#headerBytes - this.#headerFilled);
    this.#header.set(this.#input.subarray(this.#at, this.#at + taken), this.#headerFilled);
    this.#at += taken;
    this.#headerFilled += taken;
    if (this.#headerFilled < this.#headerBytes) return false;
    this.#headerFilled = 0;
    this.#decode(this.#header, 0);
    return this.#begin();
  }

  #decode(bytes: Uint8Array, at: number): void {
    if (this.#extendedHeaders) decodeExtendedRequest(bytes, at, this.#request);
    else decodeRequest(bytes, at, this.#request);
  }

  #begin(): boolean {
    const length = payloadBytes(this.#request, this.#extendedHeaders);
    if (length <= keptLimit(this.#request.command)) {
      this.#keptBytes = length;
      return this.#admit();
    }
    // The protocol wants a hang-up for extended headers; else for what can only be an attack.
    const limit = this.#extendedHeaders ? MAX_PAYLOAD_BYTES : SKIP_LIMIT_BYTES;
    if (length > limit) {
      const [expected, got] = [`at most ${limit} bytes`, `${length} bytes`];
      const offsetBytes = 24;
      throw new FormatError({
        format: 'NBD request',
        field: 'payload',
        offsetBytes,
        expected,
        got,
      });
    }
    this.#skipBytes = length;
    this.#keptBytes = 0;
    this.#state = 'skip';
    return true;
  }

  #admit(): boolean {
    const length = this.#keptBytes;
    if (!this.#receiver.admit(this.#request, length)) {
      this.#state = 'admit';
      return false;
    }
    if (length === 0) {
      this.#deliver(null);
    } else if (this.#input.length - this.#at >= length) {
      const payload = this.#input.subarray(this.#at, this.#at + length);
      this.#at += length;
      this.#deliver(payload);
    } else {
      // Not zeroed: it is handed on only when all of it has been received.
      this.#payload = Buffer.allocUnsafeSlow(length);
      this.#payloadFilled = 0;
      this.#state = 'payload';
    }
    return true;
  }

  #readPayload(): boolean {
    const available = this.#input.length - this.#at;
    if (available === 0) return false;
    const taken = Math.min(available, this.#payload.length - this.#payloadFilled);
    this.#payload.set(this.#input.subarray(this.#at, this.#at + taken), this.#payloadFilled);
    this.#at += taken;
    this.#payloadFilled += taken;
    if (this.#payloadFilled < this.#payload.length) return false;
    const payload = this.#payload;
    this.#payload = NOTHING;
    this.#deliver(payload);
    return true;
  }

  #skip(): boolean {
    const skipped = Math.min(this.#skipBytes, this.#input.length - this.#at);
    this.#at += skipped;
    this.#skipBytes -= skipped;
    return this.#skipBytes === 0 && this.#admit();
  }

  #deliver(payload: Uint8Array | null): void {
    // First the state, since the receiver may stop the parser.
    this.#state = 'header';
    this.#receiver.receive(this.#request, payload);
  }
}

function keptLimit(command: number): number {
  if (command === Command.write) return MAX_PAYLOAD_BYTES;
  return command === Command.blockStatus ? STATUS_PAYLOAD_LIMIT_BYTES : 0;
}
