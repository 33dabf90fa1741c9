/**
 * Requests to the daemon itself: JSON, `{"method": string, "params": object}`. A secret in it is the parameter `payload`, hex digits, and is
 * put into the bytes and taken out of them without ever being a string.
 */

import { writeHex } from '../../base/hex.ts';
import { Secret } from '../../crypto/secret.ts';
import { bufferOf } from './text.ts';

const NAME = Buffer.from('"payload"');
const QUOTE = 0x22;
const COLON = 0x3a;
const ZERO = 0x30;

/** `payload` may be bytes. The caller wipes the result. */
export function encodeDaemonRequest(method: string, params: object): Buffer {
  const { payload, ...others } = params as { payload?: unknown };
  if (!(payload instanceof Uint8Array)) return Buffer.from(JSON.stringify({ method, params }));
  const shell = Buffer.from(JSON.stringify({ method, params: { payload: '', ...others } }));
  const at = findText(shell)!;
  const request = Buffer.alloc(shell.length + 2 * payload.length);
  shell.copy(request, 0, 0, at);
  writeHex(request, at, payload);
  shell.copy(request, at + 2 * payload.length, at);
  return request;
}

/** Takes the text of `payload` out: zeroes stand in its place afterwards. null: there is none. The caller wipes it. */
export function takePayload(request: Uint8Array): Secret | null {
  const buffer = bufferOf(request);
  const start = findText(buffer);
  if (start === null) return null;
  const end = buffer.indexOf(QUOTE, start);
  if (end < 0) return null;
  const digits = buffer.subarray(start, end);
  const payload = Secret.from(digits);
  digits.fill(ZERO);
  return payload;
}

/** Where the text of `payload` begins; null: no parameter of this name has one. In the text of another a quote has a backslash in front. */
function findText(request: Buffer): number | null {
  for (let at = request.indexOf(NAME); at >= 0; at = request.indexOf(NAME, at + 1)) {
    const colonAt = skipBlanks(request, at + NAME.length);
    if (request[colonAt] !== COLON) continue;
    const quoteAt = skipBlanks(request, colonAt + 1);
    if (request[quoteAt] === QUOTE) return quoteAt + 1;
  }
  return null;
}

function skipBlanks(request: Buffer, start: number): number {
  let at = start;
  while ([0x20, 0x09, 0x0a, 0x0d].includes(request[at]!)) at += 1;
  return at;
}
