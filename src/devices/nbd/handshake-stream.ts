/** Reads a wire in pieces of known length: the handshake, where a promise per frame is cheap. */

import { DmError } from '../../base/errors.ts';
import type { Wire } from './wire.ts';

/** More than any sequence of frames that a server may send without being asked again. */
const BUFFER_LIMIT_BYTES = 4 * 1024 * 1024;

interface Waiting {
  lengthBytes: number;
  resolve(bytes: Uint8Array): void;
  reject(error: Error): void;
}

export class HandshakeStream {
  #wire: Wire;
  #chunks: Uint8Array[] = [];
  #bufferedBytes = 0;
  #waiting: Waiting | null = null;
  #failure: Error | null = null;

  constructor(wire: Wire) {
    this.#wire = wire;
    this.attach(wire);
  }

  /** Goes on with another wire: TLS over the first. Nothing of the old one may be left unread. */
  attach(wire: Wire): void {
    this.#wire = wire;
    wire.onBytes = (bytes) => this.#receive(bytes);
    wire.onClose = (cause) => {
      this.#fail(closedError(cause));
    };
  }

  get wire(): Wire {
    return this.#wire;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  write(bytes: Uint8Array): void {
    this.#wire.write([bytes], () => {});
  }

  /** Exactly `lengthBytes` bytes, a copy; rejects when the wire closes before. One read at a time. */
  read(lengthBytes: number): Promise<Uint8Array> {
    if (this.#bufferedBytes >= lengthBytes) return Promise.resolve(this.#take(lengthBytes));
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting = { lengthBytes, resolve, reject };
    });
  }

  /** Fails the read under way and every later one; the wire closes. */
  abort(error: Error): void {
    this.#fail(error);
    this.#wire.destroy();
  }

  /** Why reading on is impossible; null while it is possible. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Ends the handshake: what came beyond it. The wire is the caller's again. */
  detach(): Uint8Array {
    return this.#take(this.#bufferedBytes);
  }

  #receive(bytes: Uint8Array): void {
    // Not `slice`, which on a Buffer copies nothing: the wire uses its memory again.
    this.#chunks.push(Uint8Array.from(bytes));
    this.#bufferedBytes += bytes.length;
    if (this.#bufferedBytes > BUFFER_LIMIT_BYTES) {
      const limit = `more than ${BUFFER_LIMIT_BYTES} bytes during the handshake`;
      this.abort(new DmError('EPROTO', `the server sent ${limit}`));
      return;
    }
    const waiting = this.#waiting;
    if (!waiting || this.#bufferedBytes < waiting.lengthBytes) return;
    this.#waiting = null;
    waiting.resolve(this.#take(waiting.lengthBytes));
  }

  #take(lengthBytes: number): Uint8Array {
    const all = Buffer.concat(this.#chunks);
    this.#bufferedBytes -= lengthBytes;
    this.#chunks = this.#bufferedBytes > 0 ? [all.subarray(lengthBytes)] : [];
    return all.subarray(0, lengthBytes);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(error);
  }
}

export function closedError(cause: Error | null): Error {
  return cause ?? new DmError('ECONNRESET', 'the server closed the connection');
}
