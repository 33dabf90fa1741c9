/**
 * Big-endian numbers, as NBD has them. 64-bit numbers are exact JavaScript numbers (at most 2^53 - 1) or refused;
 * nothing wraps and nothing is rounded.
 */

import { assert } from '../../base/assert.ts';
import { FormatError } from '../../base/errors.ts';

const WORD = 2 ** 32;
/** A high word above this makes a number beyond 2^53 - 1. */
const HIGH_WORD_MAX = 2 ** 21 - 1;

export function readUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}

/** Infinity for what a number cannot hold exactly: more than any size, so that bounds checks refuse it. */
export function readUint64(bytes: Uint8Array, at: number): number {
  const high = readUint32(bytes, at);
  if (high > HIGH_WORD_MAX) return Number.POSITIVE_INFINITY;
  return high * WORD + readUint32(bytes, at + 4);
}

export function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function writeUint64(bytes: Uint8Array, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, '64-bit field holds a whole number below 2^53');
  writeUint32(bytes, at, Math.floor(value / WORD));
  writeUint32(bytes, at + 4, value % WORD);
}

/** `0x25609513`, for messages. */
export function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/** Refuses a 32-bit magic number that is not `expected`. */
export function expectMagic(
  bytes: Uint8Array,
  at: number,
  magic: { format: string; expected: number },
): void {
  const got = readUint32(bytes, at);
  if (got === magic.expected) return;
  throw new FormatError({
    format: magic.format,
    field: 'magic',
    offsetBytes: 0,
    expected: hex(magic.expected),
    got: hex(got),
  });
}
