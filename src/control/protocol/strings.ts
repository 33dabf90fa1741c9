/** Payloads that are one string: messages to targets (behind a sector), new names, geometry, and what messages answer. */

import { isUtf8 } from 'node:buffer';
import { DmError } from '../../base/errors.ts';
import { readMessage, type SecretText } from '../../core/line-secrets.ts';
import {
  bufferOf,
  readNumber64,
  readTerminated,
  terminatedBytes,
  textBytes,
  writeNumber64,
} from './text.ts';

const MESSAGE_START = 8;

/** The payload of TARGET_MSG requests, struct dm_target_msg: sector u64, message. */
export function encodeMessage(sector: number, text: string): Uint8Array {
  const bytes = Buffer.alloc(MESSAGE_START + textBytes(text));
  writeNumber64(bytes, 0, sector);
  bytes.write(text, MESSAGE_START, 'utf8');
  return bytes;
}

/** A message; keys in it stand beside the text, for the receiver to wipe. */
export interface TargetMessage extends SecretText {
  sector: number;
}

/** null: no NUL before the end. `bytes` is the whole request up to its data_size. */
export function decodeMessage(bytes: Uint8Array, dataStart: number): TargetMessage | null {
  const buffer = bufferOf(bytes);
  const textStart = dataStart + MESSAGE_START;
  if (textStart >= buffer.length) return null;
  const words = terminatedBytes(buffer, textStart, buffer.length);
  if (words === null) return null;
  if (!isUtf8(words)) throw new DmError('EINVAL', 'Cannot read the message: it is not UTF-8');
  return { sector: readNumber64(buffer, dataStart), ...readMessage(words) };
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
