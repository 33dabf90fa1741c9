/**
 * Request headers: 28 bytes, or 32 where extended headers were negotiated. Hand-written, since one comes with every
 * request: nothing is allocated, and a header is decoded into an object that the caller owns.
 */

import { FormatError } from '../../base/errors.ts';
import {
  expectMagic,
  readUint16,
  readUint32,
  readUint64,
  writeUint16,
  writeUint32,
  writeUint64,
} from './bytes.ts';
import {
  Command,
  CommandFlag,
  EXTENDED_REQUEST_BYTES,
  EXTENDED_REQUEST_MAGIC,
  REQUEST_BYTES,
  REQUEST_MAGIC,
} from './constants.ts';
import { FrameReader } from './frame-reader.ts';

export interface Request {
  /** Bits of `CommandFlag`. */
  flags: number;
  /** One of `Command`, or a number that this server does not know. */
  command: number;
  /** The cookie is opaque: two words that come back in the reply. */
  cookieHigh: number;
  cookieLow: number;
  /** As sent, for the extended reply, which repeats it. */
  offsetHigh: number;
  offsetLow: number;
  /** Infinity when 2^53 or more. */
  offsetBytes: number;
  /** What the command covers or what follows as payload: see `payloadBytes`. Infinity when 2^53 or more. */
  lengthBytes: number;
}

export function createRequest(): Request {
  return {
    flags: 0,
    command: 0,
    cookieHigh: 0,
    cookieLow: 0,
    offsetHigh: 0,
    offsetLow: 0,
    offsetBytes: 0,
    lengthBytes: 0,
  };
}

export function requestHeaderBytes(extendedHeaders: boolean): number {
  return extendedHeaders ? EXTENDED_REQUEST_BYTES : REQUEST_BYTES;
}

/** How many bytes follow the header. Infinity when the sender claims 2^53 or more. */
export function payloadBytes(request: Request, extendedHeaders: boolean): number {
  const follows = extendedHeaders
    ? (request.flags & CommandFlag.payloadLength) !== 0
    : request.command === Command.write;
  return follows ? request.lengthBytes : 0;
}

/** Decodes the 28 bytes at `at` into `request`; FormatError for a foreign magic number. */
export function decodeRequest(bytes: Uint8Array, at: number, request: Request): void {
  expectMagic(bytes, at, { format: 'NBD request', expected: REQUEST_MAGIC });
  decodeCommon(bytes, at, request);
  request.lengthBytes = readUint32(bytes, at + 24);
}

/** Decodes the 32 bytes at `at` into `request`; FormatError for a foreign magic number. */
export function decodeExtendedRequest(bytes: Uint8Array, at: number, request: Request): void {
  expectMagic(bytes, at, { format: 'extended NBD request', expected: EXTENDED_REQUEST_MAGIC });
  decodeCommon(bytes, at, request);
  request.lengthBytes = readUint64(bytes, at + 24);
}

function decodeCommon(bytes: Uint8Array, at: number, request: Request): void {
  request.flags = readUint16(bytes, at + 4);
  request.command = readUint16(bytes, at + 6);
  request.cookieHigh = readUint32(bytes, at + 8);
  request.cookieLow = readUint32(bytes, at + 12);
  request.offsetHigh = readUint32(bytes, at + 16);
  request.offsetLow = readUint32(bytes, at + 20);
  request.offsetBytes = readUint64(bytes, at + 16);
}

/** What a sender has to say; `offsetHigh` and `offsetLow` are made from `offsetBytes`. */
export type RequestToSend = Omit<Request, 'offsetHigh' | 'offsetLow'>;

/** Writes 28 bytes at `at`. */
export function encodeRequest(bytes: Uint8Array, at: number, request: RequestToSend): void {
  writeUint32(bytes, at, REQUEST_MAGIC);
  encodeCommon(bytes, at, request);
  writeUint32(bytes, at + 24, request.lengthBytes);
}

/** Writes 32 bytes at `at`. */
export function encodeExtendedRequest(bytes: Uint8Array, at: number, request: RequestToSend): void {
  writeUint32(bytes, at, EXTENDED_REQUEST_MAGIC);
  encodeCommon(bytes, at, request);
  writeUint64(bytes, at + 24, request.lengthBytes);
}

function encodeCommon(bytes: Uint8Array, at: number, request: RequestToSend): void {
  writeUint16(bytes, at + 4, request.flags);
  writeUint16(bytes, at + 6, request.command);
  writeUint32(bytes, at + 8, request.cookieHigh);
  writeUint32(bytes, at + 12, request.cookieLow);
  writeUint64(bytes, at + 16, request.offsetBytes);
}

/** The payload form of a block status request: ask about some of the negotiated contexts only. */
export interface BlockStatusPayload {
  lengthBytes: number;
  contextIds: number[];
}

export function encodeBlockStatusPayload({ lengthBytes, contextIds }: BlockStatusPayload) {
  const bytes = new Uint8Array(8 + 4 * contextIds.length);
  writeUint64(bytes, 0, lengthBytes);
  contextIds.forEach((id, index) => {
    writeUint32(bytes, 8 + 4 * index, id);
  });
  return bytes;
}

export function decodeBlockStatusPayload(bytes: Uint8Array): BlockStatusPayload {
  const format = 'NBD block status payload';
  if (bytes.length < 8 || bytes.length % 4 !== 0) {
    const [expected, got] = ['8 bytes and 4 per context', `${bytes.length} bytes`];
    throw new FormatError({ format, field: 'length', offsetBytes: 0, expected, got });
  }
  const reader = new FrameReader(format, bytes);
  const lengthBytes = reader.uint64('effect length');
  const contextIds: number[] = [];
  while (reader.remaining > 0) contextIds.push(reader.uint32('context id'));
  return { lengthBytes, contextIds };
}
