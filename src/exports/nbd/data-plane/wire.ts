/** How one connection's requests and successful replies look, by what was negotiated. No allocation per request. */

import { FormatError } from '../../../base/errors.ts';
import { writeUint64 } from '../../../protocols/nbd/bytes.ts';
import { DATA_PREFIX_BYTES, encodeErrorChunk } from '../../../protocols/nbd/chunk.ts';
import {
  ChunkType,
  EXTENDED_REPLY_BYTES,
  NbdError,
  ReplyFlag,
  SIMPLE_REPLY_BYTES,
  STRUCTURED_REPLY_BYTES,
} from '../../../protocols/nbd/constants.ts';
import {
  encodeExtendedReply,
  encodeSimpleReply,
  encodeStructuredReply,
} from '../../../protocols/nbd/reply.ts';
import {
  createRequest,
  decodeExtendedRequest,
  decodeRequest,
  payloadBytes,
  type Request,
  requestHeaderBytes,
} from '../../../protocols/nbd/request.ts';
import type { WireMode } from './messages.ts';

export interface Wire {
  /** The request decoded last. */
  readonly request: Request;
  readonly requestHeaderBytes: number;
  /** What stands before the data in the reply to a read. */
  readonly readHeaderBytes: number;
  /** Answers how many bytes follow the header at `at`, or -1 when it is no request. */
  decode(bytes: Uint8Array, at: number): number;
  /**
   * Writes what comes before the data of a read of `request.lengthBytes`. Unless `isLast`, something follows the data:
   * `encodeEnd` or `encodeFailure`, as far as the form has them.
   */
  encodeRead(bytes: Uint8Array, at: number, isLast: boolean): void;
  /** Ends a read reply that was not last; returns its length, 0 where the data ends it. */
  encodeEnd(bytes: Uint8Array, at: number): number;
  /** Takes data back that was announced and could not be read; 0: the form cannot say that, so the connection must end. */
  encodeFailure(bytes: Uint8Array, at: number): number;
  /** Writes the reply to a request without data and returns its length. */
  encodeDone(bytes: Uint8Array, at: number): number;
}

export function createWire({ structuredReplies, extendedHeaders }: WireMode): Wire {
  const request = createRequest();
  const decodeHeader = extendedHeaders ? decodeExtendedRequest : decodeRequest;
  const replies = extendedHeaders
    ? chunkedReplies(encodeExtendedReply, EXTENDED_REPLY_BYTES)
    : structuredReplies
      ? { ...chunkedReplies(encodeStructuredReply, STRUCTURED_REPLY_BYTES), encodeDone: simpleDone }
      : simpleReplies;
  return {
    request,
    requestHeaderBytes: requestHeaderBytes(extendedHeaders),
    readHeaderBytes: replies.readHeaderBytes,
    decode(bytes, at) {
      try {
        decodeHeader(bytes, at, request);
      } catch (error) {
        if (error instanceof FormatError) return -1;
        throw error;
      }
      return payloadBytes(request, extendedHeaders);
    },
    encodeRead: (bytes, at, isLast) => replies.encodeRead(bytes, at, request, isLast),
    encodeEnd: (bytes, at) => replies.encodeEnd(bytes, at, request),
    encodeFailure: (bytes, at) => replies.encodeFailure(bytes, at, request),
    encodeDone: (bytes, at) => replies.encodeDone(bytes, at, request),
  };
}

/** Each returns how many bytes it wrote. */
type EncodeReply = (bytes: Uint8Array, at: number, request: Request) => number;

interface Replies {
  readHeaderBytes: number;
  encodeRead(bytes: Uint8Array, at: number, request: Request, isLast: boolean): void;
  encodeEnd: EncodeReply;
  encodeFailure: EncodeReply;
  encodeDone: EncodeReply;
}

const simpleDone: EncodeReply = (bytes, at, request) => {
  encodeSimpleReply(bytes, at, request, 0);
  return SIMPLE_REPLY_BYTES;
};

/** Data follows the header and nothing follows the data. */
const simpleReplies: Replies = {
  readHeaderBytes: SIMPLE_REPLY_BYTES,
  encodeRead: simpleDone,
  encodeEnd: () => 0,
  encodeFailure: () => 0,
  encodeDone: simpleDone,
};

/** Replies in chunks: the data of a read behind its offset, or nothing, or an error. */
function chunkedReplies(encode: typeof encodeExtendedReply, headerBytes: number): Replies {
  const data = { flags: 0, type: ChunkType.offsetData, payloadBytes: 0 };
  const done = { flags: ReplyFlag.done, type: ChunkType.none, payloadBytes: 0 };
  const encodeDone: EncodeReply = (bytes, at, request) => {
    encode(bytes, at, request, done);
    return headerBytes;
  };
  return {
    readHeaderBytes: headerBytes + DATA_PREFIX_BYTES,
    encodeRead(bytes, at, request, isLast) {
      data.flags = isLast ? ReplyFlag.done : 0;
      data.payloadBytes = DATA_PREFIX_BYTES + request.lengthBytes;
      encode(bytes, at, request, data);
      writeUint64(bytes, at + headerBytes, request.offsetBytes);
    },
    encodeEnd: encodeDone,
    encodeFailure(bytes, at, request) {
      const message = 'The disk gave less than the read asked for';
      const payload = encodeErrorChunk({ error: NbdError.EIO, message });
      const head = { flags: ReplyFlag.done, type: ChunkType.error, payloadBytes: payload.length };
      encode(bytes, at, request, head);
      bytes.set(payload, at + headerBytes);
      return headerBytes + payload.length;
    },
    encodeDone,
  };
}
