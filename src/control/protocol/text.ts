/** Strings of the interface: bytes up to a NUL. Names are UTF-8 here; other bytes, which the kernel would take, are refused. */

import { isUtf8 } from 'node:buffer';
import { DmError } from '../../base/errors.ts';

/** The bytes before the first NUL of `bytes` in [start, end); without a NUL, all of them. */
export function readText(bytes: Buffer, start: number, end: number, what: string): string {
  // Most fields are empty.
  if (start >= end || bytes[start] === 0) return '';
  const nul = bytes.subarray(start, end).indexOf(0);
  const text = bytes.subarray(start, nul === -1 ? end : start + nul);
  if (!isUtf8(text)) {
    throw new DmError('EINVAL', `Cannot read the ${what}: expected UTF-8, got ${describe(text)}`);
  }
  return text.toString('utf8');
}

/** As `readText`, but null without a NUL. */
export function readTerminated(
  bytes: Buffer,
  start: number,
  end: number,
  what: string,
): string | null {
  return terminatedBytes(bytes, start, end) && readText(bytes, start, end, what);
}

/** A view of the bytes before the first NUL, for what shall be no string; null without a NUL. */
export function terminatedBytes(bytes: Buffer, start: number, end: number): Buffer | null {
  const length = bytes.subarray(start, end).indexOf(0);
  return length < 0 ? null : bytes.subarray(start, start + length);
}

const SHOWN_BYTES = 16;

function describe(bytes: Buffer): string {
  const shown = bytes.subarray(0, SHOWN_BYTES).toString('latin1');
  return JSON.stringify(shown) + (bytes.length > SHOWN_BYTES ? '...' : '');
}

/** Fills a field of `fieldBytes` with a string, its NUL and zeroes. Throws when it does not fit. */
export function writeText(
  bytes: Buffer,
  start: number,
  fieldBytes: number,
  text: string,
  what: string,
): void {
  const lengthBytes = Buffer.byteLength(text);
  if (lengthBytes >= fieldBytes || text.includes('\0')) {
    throw new DmError(
      'EINVAL',
      `Cannot send the ${what} "${text}": expected at most ${fieldBytes - 1} bytes without a NUL, got ${lengthBytes}`,
    );
  }
  bytes.write(text, start, 'utf8');
  bytes.fill(0, start + lengthBytes, start + fieldBytes);
}

/** Bytes that a string takes with its NUL. */
export function textBytes(text: string): number {
  return Buffer.byteLength(text) + 1;
}

/** A view of the same memory with Buffer's methods. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const ALIGNMENT_BYTES = 8;

/** The next multiple of 8: where structures begin. */
export function align(offsetBytes: number): number {
  return Math.ceil(offsetBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

/** 64 bits as a number; above 2^53 the nearest one. */
export function readNumber64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * 2 ** 32;
}

/** What does not fit becomes the largest number, as strtoull has it: people type such tables, and the mapper refuses them. */
export function writeNumber64(bytes: Buffer, offset: number, value: number): void {
  if (value >= 2 ** 64) {
    bytes.fill(0xff, offset, offset + 8);
    return;
  }
  bytes.writeUInt32LE(value % 2 ** 32, offset);
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), offset + 4);
}
