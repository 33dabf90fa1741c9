/**
 * Requests to the daemon itself: JSON, `{"method": string, "params": object}`. A secret in it is the parameter `payload`, hex digits, and is
 * put into the bytes and taken out of them without ever being a string.
 */

import { Secret } from '../../crypto/secret.ts';

const NAME = Buffer.from('"payload":"');
const QUOTE = 0x22;
const DIGITS = Buffer.from('0123456789abcdef');
const ZERO = 0x30;

/** `payload` may be bytes. The caller wipes the result. */
export function encodeDaemonRequest(method: string, params: object): Buffer {
  const { payload, ...others } = params as { payload?: unknown };
  if (!(payload instanceof Uint8Array)) return Buffer.from(JSON.stringify({ method, params }));
  const shell = Buffer.from(JSON.stringify({ method, params: { payload: '', ...others } }));
  const at = shell.indexOf(NAME) + NAME.length;
  const request = Buffer.alloc(shell.length + 2 * payload.length);
  shell.copy(request, 0, 0, at);
  for (const [index, byte] of payload.entries()) {
    request[at + 2 * index] = DIGITS[byte >> 4]!;
    request[at + 2 * index + 1] = DIGITS[byte & 15]!;
  }
  shell.copy(request, at + 2 * payload.length, at);
  return request;
}

/** Takes the text of `payload` out: zeroes stand in its place afterwards. null: there is none. The caller wipes it. */
export function takePayload(request: Uint8Array): Secret | null {
  const buffer = Buffer.from(request.buffer, request.byteOffset, request.byteLength);
  const found = buffer.indexOf(NAME);
  if (found < 0) return null;
  const start = found + NAME.length;
  const end = buffer.indexOf(QUOTE, start);
  if (end < 0) return null;
  const digits = buffer.subarray(start, end);
  const payload = Secret.from(digits);
  digits.fill(ZERO);
  return payload;
}
