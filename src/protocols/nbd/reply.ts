/**
 * Reply headers: simple (16 bytes), structured (20), extended (32). Hand-written, since one comes with every request:
 * written into bytes that the caller owns, decoded into an object that the caller owns.
 */

import { FormatError } from '../../base/errors.ts';
import {
  hex,
  readUint16,
  readUint32,
  readUint64,
  writeUint16,
  writeUint32,
  writeUint64,
} from './bytes.ts';
import {
  EXTENDED_REPLY_BYTES,
  EXTENDED_REPLY_MAGIC,
  SIMPLE_REPLY_BYTES,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_BYTES,
  STRUCTURED_REPLY_MAGIC,
} from './constants.ts';

/** The cookie of the request that is answered. */
export interface Cookie {
  readonly cookieHigh: number;
  readonly cookieLow: number;
}

/** What an extended reply repeats of its request. */
export interface Origin extends Cookie {
  readonly offsetHigh: number;
  readonly offsetLow: number;
}

/** One chunk of a structured or extended reply. */
export interface ChunkHead {
  /** Bits of `ReplyFlag`. */
  readonly flags: number;
  /** One of `ChunkType`. */
  readonly type: number;
  readonly payloadBytes: number;
}

/** Writes 16 bytes at `at`. `error` is one of `NbdError`, or 0. */
export function encodeSimpleReply(
  bytes: Uint8Array,
  at: number,
  cookie: Cookie,
  error: number,
): void {
  writeUint32(bytes, at, SIMPLE_REPLY_MAGIC);
  writeUint32(bytes, at + 4, error);
  writeUint32(bytes, at + 8, cookie.cookieHigh);
  writeUint32(bytes, at + 12, cookie.cookieLow);
}

/** Writes 20 bytes at `at`. */
export function encodeStructuredReply(
  bytes: Uint8Array,
  at: number,
  cookie: Cookie,
  chunk: ChunkHead,
): void {
  writeUint32(bytes, at, STRUCTURED_REPLY_MAGIC);
  encodeChunkHead(bytes, at, cookie, chunk);
  writeUint32(bytes, at + 16, chunk.payloadBytes);
}

/** Writes 32 bytes at `at`. */
export function encodeExtendedReply(
  bytes: Uint8Array,
  at: number,
  origin: Origin,
  chunk: ChunkHead,
): void {
  writeUint32(bytes, at, EXTENDED_REPLY_MAGIC);
  encodeChunkHead(bytes, at, origin, chunk);
  writeUint32(bytes, at + 16, origin.offsetHigh);
  writeUint32(bytes, at + 20, origin.offsetLow);
  writeUint64(bytes, at + 24, chunk.payloadBytes);
}

function encodeChunkHead(bytes: Uint8Array, at: number, cookie: Cookie, chunk: ChunkHead): void {
  writeUint16(bytes, at + 4, chunk.flags);
  writeUint16(bytes, at + 6, chunk.type);
  writeUint32(bytes, at + 8, cookie.cookieHigh);
  writeUint32(bytes, at + 12, cookie.cookieLow);
}

/** Any reply header. A simple reply has `flags` done, `type` none and `payloadBytes` 0: whether data follows is the request's business. */
export interface Reply {
  kind: 'simple' | 'structured' | 'extended';
  /** Of a simple reply; 0 in others, whose errors are chunks. */
  error: number;
  flags: number;
  type: number;
  cookieHigh: number;
  cookieLow: number;
  /** Of an extended reply: the request's offset. */
  offsetBytes: number;
  /** Infinity when 2^53 or more. */
  payloadBytes: number;
}

export function createReply(): Reply {
  return {
    kind: 'simple',
    error: 0,
    flags: 0,
    type: 0,
    cookieHigh: 0,
    cookieLow: 0,
    offsetBytes: 0,
    payloadBytes: 0,
  };
}

/** How long the header at `at` is, by its first four bytes; FormatError for a foreign magic number. */
export function replyHeaderBytes(bytes: Uint8Array, at: number): number {
  const magic = readUint32(bytes, at);
  if (magic === STRUCTURED_REPLY_MAGIC) return STRUCTURED_REPLY_BYTES;
  if (magic === SIMPLE_REPLY_MAGIC) return SIMPLE_REPLY_BYTES;
  if (magic === EXTENDED_REPLY_MAGIC) return EXTENDED_REPLY_BYTES;
  const expected = [SIMPLE_REPLY_MAGIC, STRUCTURED_REPLY_MAGIC, EXTENDED_REPLY_MAGIC].map(hex);
  throw new FormatError({
    format: 'NBD reply',
    field: 'magic',
    offsetBytes: 0,
    expected: expected.join(' or '),
    got: hex(magic),
  });
}

/** Decodes the header at `at`, which is there in full (see `replyHeaderBytes`), and returns its length. */
export function decodeReply(bytes: Uint8Array, at: number, reply: Reply): number {
  const headerBytes = replyHeaderBytes(bytes, at);
  reply.cookieHigh = readUint32(bytes, at + 8);
  reply.cookieLow = readUint32(bytes, at + 12);
  if (headerBytes === SIMPLE_REPLY_BYTES) {
    reply.kind = 'simple';
    reply.error = readUint32(bytes, at + 4);
    reply.flags = 1;
    reply.type = 0;
    reply.offsetBytes = 0;
    reply.payloadBytes = 0;
    return headerBytes;
  }
  reply.error = 0;
  reply.flags = readUint16(bytes, at + 4);
  reply.type = readUint16(bytes, at + 6);
  if (headerBytes === STRUCTURED_REPLY_BYTES) {
    reply.kind = 'structured';
    reply.offsetBytes = 0;
    reply.payloadBytes = readUint32(bytes, at + 16);
  } else {
    reply.kind = 'extended';
    reply.offsetBytes = readUint64(bytes, at + 16);
    reply.payloadBytes = readUint64(bytes, at + 24);
  }
  return headerBytes;
}
