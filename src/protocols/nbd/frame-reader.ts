/**
 * Reads the fields of one complete frame of the handshake, or of a reply's payload, in order. Every length is checked
 * against the frame before use. For headers that come with every request see request.ts and reply.ts.
 */

import { FormatError } from '../../base/errors.ts';
import { hex, readUint16, readUint32, readUint64 } from './bytes.ts';
import { STRING_BYTES } from './constants.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

export class FrameReader {
  readonly #format: string;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(format: string, bytes: Uint8Array) {
    this.#format = format;
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  uint16(field: string): number {
    return readUint16(this.#bytes, this.#take(field, 2));
  }

  uint32(field: string): number {
    return readUint32(this.#bytes, this.#take(field, 4));
  }

  uint64(field: string): number {
    const at = this.#take(field, 8);
    const value = readUint64(this.#bytes, at);
    if (value !== Number.POSITIVE_INFINITY) return value;
    throw this.#problem(field, at, 'a number below 2^53', 'a larger one');
  }

  /** 64 bits that must read as two given words. */
  magic(field: string, [high, low]: readonly [number, number]): void {
    const at = this.#take(field, 8);
    const got = [readUint32(this.#bytes, at), readUint32(this.#bytes, at + 4)] as const;
    if (got[0] === high && got[1] === low) return;
    throw this.#problem(field, at, `${hex(high)} ${hex(low)}`, `${hex(got[0])} ${hex(got[1])}`);
  }

  /** `lengthBytes` bytes of UTF-8, at most 4096 of them, no NUL. */
  string(field: string, lengthBytes: number): string {
    const at = this.#at;
    if (lengthBytes > STRING_BYTES) {
      throw this.#problem(field, at, `at most ${STRING_BYTES} bytes`, `${lengthBytes} bytes`);
    }
    const bytes = this.#bytes.subarray(this.#take(field, lengthBytes), this.#at);
    if (bytes.includes(0)) throw this.#problem(field, at, 'a string without NUL', 'one with it');
    try {
      return utf8.decode(bytes);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw this.#problem(field, at, 'UTF-8', 'other bytes');
    }
  }

  /** The rest of the frame as a string. */
  rest(field: string): string {
    return this.string(field, this.remaining);
  }

  /** Refuses bytes that nobody asked for. */
  end(): void {
    if (this.remaining === 0) return;
    throw this.#problem('end', this.#at, 'no more bytes', `${this.remaining} more`);
  }

  /** A refusal of the field that was read last, or of the frame as a whole. */
  problem(field: string, expected: string, got: string): FormatError {
    return this.#problem(field, this.#at, expected, got);
  }

  #take(field: string, lengthBytes: number): number {
    const at = this.#at;
    if (lengthBytes > this.remaining) {
      throw this.#problem(field, at, `${lengthBytes} bytes`, `${this.remaining} bytes`);
    }
    this.#at += lengthBytes;
    return at;
  }

  #problem(field: string, offsetBytes: number, expected: string, got: string): FormatError {
    return new FormatError({ format: this.#format, field, offsetBytes, expected, got });
  }
}

/** The bytes of a string on the wire. Refuses what the protocol does not carry. */
export function encodeString(field: string, text: string): Uint8Array {
  const bytes = utf8Encoder.encode(text);
  const got =
    bytes.length > STRING_BYTES
      ? `${bytes.length} bytes`
      : text.includes('\0')
        ? 'a string with NUL'
        : null;
  if (got === null) return bytes;
  const expected = `at most ${STRING_BYTES} bytes without NUL`;
  throw new FormatError({ format: 'NBD string', field, offsetBytes: 0, expected, got });
}

/** Parts end to end. */
export function joinBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
