/** Payloads that are one string: messages to targets (behind a sector), new names, geometry, and what messages answer. */

import { bufferOf, readNumber64, readTerminated, textBytes, writeNumber64 } from './text.ts';

const MESSAGE_START = 8;

/** The payload of TARGET_MSG requests, struct dm_target_msg: sector u64, message. */
export function encodeMessage(sector: number, text: string): Uint8Array {
  const bytes = Buffer.alloc(MESSAGE_START + textBytes(text));
  writeNumber64(bytes, 0, sector);
  bytes.write(text, MESSAGE_START, 'utf8');
  return bytes;
}

/** null: no NUL before the end. `bytes` is the whole request up to its data_size. */
export function decodeMessage(
  bytes: Uint8Array,
  dataStart: number,
): { sector: number; text: string } | null {
  const buffer = bufferOf(bytes);
  const textStart = dataStart + MESSAGE_START;
  if (textStart >= buffer.length) return null;
  const text = readTerminated(buffer, textStart, buffer.length, 'message');
  return text === null ? null : { sector: readNumber64(buffer, dataStart), text };
}

/** A string alone: new names, geometry, and what messages answer. */
export function encodeText(text: string): Uint8Array {
  const bytes = Buffer.alloc(textBytes(text));
  bytes.write(text, 'utf8');
  return bytes;
}

/** null: no NUL before the end. */
export function decodeText(bytes: Uint8Array, start: number, what: string): string | null {
  if (start >= bytes.length) return null;
  return readTerminated(bufferOf(bytes), start, bytes.length, what);
}
