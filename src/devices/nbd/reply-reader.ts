/**
 * Takes the server's bytes apart in the transmission phase and puts them where they belong: data straight into the reader's
 * buffer, errors and extents onto the request. Nothing a server sends is believed: magic, cookie, chunk type, length, offset and
 * completeness are checked, and the first thing wrong is a FormatError after which the connection is worth nothing.
 */

import { Errno, FormatError } from '../../base/errors.ts';
import { readUint64 } from '../../protocols/nbd/bytes.ts';
import {
  DATA_PREFIX_BYTES,
  decodeBlockStatus,
  decodeErrorChunk,
  decodeHole,
  HOLE_BYTES,
} from '../../protocols/nbd/chunk.ts';
import { ChunkType, Command, NbdError, ReplyFlag } from '../../protocols/nbd/constants.ts';
import { createReply, decodeReply, replyHeaderBytes } from '../../protocols/nbd/reply.ts';
import type { ReplyKind } from './export-info.ts';
import type { RemoteRequest } from './remote-request.ts';

const LONGEST_HEADER_BYTES = 32;
/** An error, a text of up to 4096 bytes, and what later versions may add. */
const ERROR_CHUNK_LIMIT_BYTES = 8 * 1024;
/** A million descriptors of 16 bytes. */
const STATUS_CHUNK_LIMIT_BYTES = 16 * 1024 * 1024 + 8;
/** Extents of one request, over all its chunks. */
const EXTENT_LIMIT = 1 << 20;

export interface ReplyTarget {
  /** The request in flight with this cookie; null: there is none. */
  find(cookieHigh: number, cookieLow: number): RemoteRequest | null;
  /** Its reply is complete; `request.error` holds the outcome. May stop the reader. Throws FormatError too. */
  finish(request: RemoteRequest): void;
}

type Stage = 'header' | 'prefix' | 'data' | 'payload';

const knownErrors: ReadonlySet<number> = new Set(Object.values(NbdError));

export class ReplyReader {
  readonly #kind: ReplyKind;
  readonly #allocationContextId: number | null;
  readonly #target: ReplyTarget;
  readonly #reply = createReply();
  /** Bytes of a header or prefix that came in parts. */
  readonly #stash = new Uint8Array(LONGEST_HEADER_BYTES);
  #stashedBytes = 0;
  #stage: Stage = 'header';
  /** Whose reply is being read; null in the header. */
  #request: RemoteRequest | null = null;
  /** Where in the request's buffer the next data goes, and how much is to come. */
  #dataAt = 0;
  #dataLeftBytes = 0;
  #payload: Uint8Array = new Uint8Array(0);
  #payloadFilledBytes = 0;
  #stopped = false;

  constructor(options: {
    kind: ReplyKind;
    allocationContextId: number | null;
    target: ReplyTarget;
  }) {
    this.#kind = options.kind;
    this.#allocationContextId = options.allocationContextId;
    this.#target = options.target;
  }

  /** Nothing is looked at any more, not even the rest of a chunk under way. */
  stop(): void {
    this.#stopped = true;
  }

  /** Whether the stream could end here without cutting a reply in two. */
  get atBoundary(): boolean {
    return this.#stage === 'header' && this.#stashedBytes === 0;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#stopped) at = this.#step(chunk, at);
  }

  #step(chunk: Uint8Array, at: number): number {
    switch (this.#stage) {
      case 'header':
        return this.#readHeader(chunk, at);
      case 'prefix':
        return this.#readPrefix(chunk, at);
      case 'data':
        return this.#readData(chunk, at);
      case 'payload':
        return this.#readPayload(chunk, at);
    }
  }

  #readHeader(chunk: Uint8Array, start: number): number {
    if (this.#stashedBytes === 0 && chunk.length - start >= LONGEST_HEADER_BYTES) {
      const headerBytes = decodeReply(chunk, start, this.#reply);
      this.#begin();
      return start + headerBytes;
    }
    let at = this.#collect(chunk, start, 4);
    if (this.#stashedBytes < 4) return at;
    const headerBytes = replyHeaderBytes(this.#stash, 0);
    at = this.#collect(chunk, at, headerBytes);
    if (this.#stashedBytes < headerBytes) return at;
    this.#stashedBytes = 0;
    decodeReply(this.#stash, 0, this.#reply);
    this.#begin();
    return at;
  }

  /** Fills the stash up to `wantedBytes`. */
  #collect(chunk: Uint8Array, at: number, wantedBytes: number): number {
    let next = at;
    while (this.#stashedBytes < wantedBytes && next < chunk.length) {
      this.#stash[this.#stashedBytes] = chunk[next]!;
      this.#stashedBytes += 1;
      next += 1;
    }
    return next;
  }

  #begin(): void {
    const reply = this.#reply;
    if (!this.#isExpectedKind()) {
      throw problem('magic', `a ${this.#kind} reply`, `a ${reply.kind} one`);
    }
    const request = this.#target.find(reply.cookieHigh, reply.cookieLow);
    if (!request) {
      throw problem(
        'cookie',
        'that of a request in flight',
        `${reply.cookieHigh}:${reply.cookieLow}`,
      );
    }
    if (reply.kind === 'extended' && reply.offsetBytes !== request.offsetBytes) {
      throw problem('offset', `the request's, ${request.offsetBytes}`, `${reply.offsetBytes}`);
    }
    this.#request = request;
    if (reply.kind === 'simple') this.#beginSimple(request);
    else this.#beginChunk(request);
  }

  /** With structured replies, simple ones are still allowed where no data comes. With extended headers nothing else is. */
  #isExpectedKind(): boolean {
    const { kind } = this.#reply;
    return kind === this.#kind || (kind === 'simple' && this.#kind === 'structured');
  }

  #beginSimple(request: RemoteRequest): void {
    if (this.#reply.error !== 0) {
      this.#recordError(request, this.#reply.error, '');
      this.#complete(request);
      return;
    }
    if (request.command !== Command.read) {
      this.#complete(request);
      return;
    }
    if (this.#kind !== 'simple')
      throw problem('magic', 'a structured reply to a read', 'a simple one');
    request.coverage.add(0, request.lengthBytes);
    this.#beginData(request.dataOffset, request.lengthBytes);
  }

  #beginChunk(request: RemoteRequest): void {
    const { type, payloadBytes } = this.#reply;
    switch (type) {
      case ChunkType.none:
        this.#expectPayload(0, 0);
        if (!this.#isLast) throw problem('flags', 'the last chunk', 'an empty one before it');
        this.#complete(request);
        return;
      case ChunkType.offsetData:
        this.#expectCommand(request, Command.read);
        this.#expectPayload(DATA_PREFIX_BYTES + 1, DATA_PREFIX_BYTES + request.lengthBytes);
        this.#stage = 'prefix';
        return;
      case ChunkType.offsetHole:
        this.#expectCommand(request, Command.read);
        this.#expectPayload(HOLE_BYTES, HOLE_BYTES);
        break;
      case this.#kind === 'extended' ? ChunkType.blockStatusExt : ChunkType.blockStatus:
        this.#expectCommand(request, Command.blockStatus);
        this.#expectPayload(1, STATUS_CHUNK_LIMIT_BYTES);
        break;
      default:
        if ((type & 0x8000) === 0) throw problem('type', 'a known chunk type', `${type}`);
        this.#expectPayload(1, ERROR_CHUNK_LIMIT_BYTES);
    }
    this.#payload = new Uint8Array(payloadBytes);
    this.#payloadFilledBytes = 0;
    this.#stage = 'payload';
  }

  get #isLast(): boolean {
    return (this.#reply.flags & ReplyFlag.done) !== 0;
  }

  #expectCommand(request: RemoteRequest, command: number): void {
    if (request.command === command) return;
    const expected = `one that fits command ${request.command}`;
    throw problem('type', expected, `${this.#reply.type}`);
  }

  #expectPayload(minBytes: number, maxBytes: number): void {
    const { payloadBytes } = this.#reply;
    if (payloadBytes >= minBytes && payloadBytes <= maxBytes) return;
    const expected = minBytes === maxBytes ? `${minBytes}` : `${minBytes} to ${maxBytes}`;
    throw problem('length', `${expected} bytes`, `${payloadBytes} bytes`);
  }

  #readPrefix(chunk: Uint8Array, start: number): number {
    const at = this.#collect(chunk, start, DATA_PREFIX_BYTES);
    if (this.#stashedBytes < DATA_PREFIX_BYTES) return at;
    this.#stashedBytes = 0;
    const request = this.#request!;
    const lengthBytes = this.#reply.payloadBytes - DATA_PREFIX_BYTES;
    const skipBytes = this.#cover(request, readUint64(this.#stash, 0), lengthBytes);
    this.#beginData(request.dataOffset + skipBytes, lengthBytes);
    return at;
  }

  /** Records a range of a read as arrived and returns where in the request it begins. */
  #cover(request: RemoteRequest, offsetBytes: number, lengthBytes: number): number {
    const skipBytes = offsetBytes - request.offsetBytes;
    if (skipBytes < 0 || skipBytes + lengthBytes > request.lengthBytes) {
      const expected = `a range within ${request.lengthBytes} bytes from ${request.offsetBytes} on`;
      throw problem('offset', expected, `${lengthBytes} bytes from ${offsetBytes} on`);
    }
    const wrong = request.coverage.add(skipBytes, lengthBytes);
    if (wrong === null) return skipBytes;
    const expected = wrong === 'overlap' ? 'every byte once' : 'chunks in some order';
    throw problem('offset', expected, `${lengthBytes} bytes from ${offsetBytes} on (${wrong})`);
  }

  #beginData(dataAt: number, lengthBytes: number): void {
    this.#dataAt = dataAt;
    this.#dataLeftBytes = lengthBytes;
    this.#stage = 'data';
  }

  #readData(chunk: Uint8Array, at: number): number {
    const request = this.#request!;
    const lengthBytes = Math.min(this.#dataLeftBytes, chunk.length - at);
    const whole = at === 0 && lengthBytes === chunk.length;
    request.data.set(whole ? chunk : chunk.subarray(at, at + lengthBytes), this.#dataAt);
    this.#dataAt += lengthBytes;
    this.#dataLeftBytes -= lengthBytes;
    if (this.#dataLeftBytes === 0) this.#endChunk(request);
    return at + lengthBytes;
  }

  #readPayload(chunk: Uint8Array, at: number): number {
    const payload = this.#payload;
    const lengthBytes = Math.min(payload.length - this.#payloadFilledBytes, chunk.length - at);
    payload.set(chunk.subarray(at, at + lengthBytes), this.#payloadFilledBytes);
    this.#payloadFilledBytes += lengthBytes;
    if (this.#payloadFilledBytes === payload.length) this.#interpret(this.#request!, payload);
    return at + lengthBytes;
  }

  #interpret(request: RemoteRequest, payload: Uint8Array): void {
    const { type } = this.#reply;
    if (type === ChunkType.offsetHole) {
      const { offsetBytes, lengthBytes } = decodeHole(payload);
      const at = request.dataOffset + this.#cover(request, offsetBytes, lengthBytes);
      request.data.fill(0, at, at + lengthBytes);
    } else if ((type & 0x8000) !== 0) {
      const chunk = decodeErrorChunk(type, payload);
      this.#expectErrorOffset(request, chunk.offsetBytes);
      this.#recordError(request, chunk.error, chunk.message);
    } else {
      this.#recordStatus(request, type, payload);
    }
    this.#payload = new Uint8Array(0);
    this.#endChunk(request);
  }

  #expectErrorOffset(request: RemoteRequest, offsetBytes: number | undefined): void {
    if (offsetBytes === undefined) return;
    const skipBytes = offsetBytes - request.offsetBytes;
    if (skipBytes >= 0 && skipBytes < Math.max(request.lengthBytes, 1)) return;
    throw problem('error offset', 'one within the request', `${offsetBytes}`);
  }

  #recordStatus(request: RemoteRequest, type: number, payload: Uint8Array): void {
    const { contextId, extents } = decodeBlockStatus(type, payload);
    if (contextId !== this.#allocationContextId) {
      throw problem('context id', `${this.#allocationContextId}`, `${contextId}`);
    }
    if (request.extents) throw problem('type', 'one status chunk per context', 'a second one');
    if (extents.length > EXTENT_LIMIT) {
      throw problem('extents', `at most ${EXTENT_LIMIT}`, `${extents.length}`);
    }
    request.extents = extents;
  }

  #recordError(request: RemoteRequest, error: number, message: string): void {
    if (request.error !== 0) return;
    // The protocol has a short list; what is not on it means that something went wrong, no more.
    request.error = knownErrors.has(error) ? error : Errno.EIO;
    request.message = message;
  }

  #endChunk(request: RemoteRequest): void {
    if (this.#isLast) this.#complete(request);
    else this.#nextHeader();
  }

  #complete(request: RemoteRequest): void {
    if (request.error === 0) {
      if (request.command === Command.read && !request.coverage.isComplete(request.lengthBytes)) {
        throw problem('data', `all ${request.lengthBytes} bytes of the read`, 'fewer');
      }
      if (request.command === Command.blockStatus && !request.extents) {
        throw problem('extents', 'the status that was asked for', 'none');
      }
    }
    this.#nextHeader();
    this.#target.finish(request);
  }

  #nextHeader(): void {
    this.#stage = 'header';
    this.#request = null;
  }
}

function problem(field: string, expected: string, got: string): FormatError {
  return new FormatError({ format: 'NBD reply', field, offsetBytes: 0, expected, got });
}
