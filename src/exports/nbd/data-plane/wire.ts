/** How one connection's requests and successful replies look, by what was negotiated. No allocation per request. */

import { FormatError } from '../../../base/errors.ts';
import { writeUint64 } from '../../../protocols/nbd/bytes.ts';
import { DATA_PREFIX_BYTES } from '../../../protocols/nbd/chunk.ts';
import {
  ChunkType,
  EXTENDED_REPLY_BYTES,
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
  /** Writes what comes before the data of a read of `request.lengthBytes`. */
  encodeRead(bytes: Uint8Array, at: number): void;
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
      : { readHeaderBytes: SIMPLE_REPLY_BYTES, encodeRead: simpleDone, encodeDone: simpleDone };
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
    encodeRead: (bytes, at) => {
      replies.encodeRead(bytes, at, request);
    },
    encodeDone: (bytes, at) => replies.encodeDone(bytes, at, request),
  };
}

type EncodeReply = (bytes: Uint8Array, at: number, request: Request) => number;

/** A simple reply serves both: data simply follows it. */
const simpleDone: EncodeReply = (bytes, at, request) => {
  encodeSimpleReply(bytes, at, request, 0);
  return SIMPLE_REPLY_BYTES;
};

/** One chunk a reply: the data of a read behind its offset, or nothing. */
function chunkedReplies(encode: typeof encodeExtendedReply, headerBytes: number) {
  const data = { flags: ReplyFlag.done, type: ChunkType.offsetData, payloadBytes: 0 };
  const done = { flags: ReplyFlag.done, type: ChunkType.none, payloadBytes: 0 };
  const encodeRead: EncodeReply = (bytes, at, request) => {
    data.payloadBytes = DATA_PREFIX_BYTES + request.lengthBytes;
    encode(bytes, at, request, data);
    writeUint64(bytes, at + headerBytes, request.offsetBytes);
    return headerBytes + DATA_PREFIX_BYTES;
  };
  const encodeDone: EncodeReply = (bytes, at, request) => {
    encode(bytes, at, request, done);
    return headerBytes;
  };
  return { readHeaderBytes: headerBytes + DATA_PREFIX_BYTES, encodeRead, encodeDone };
}
