/** Builds whole replies in the form that the session agreed on: simple, structured or extended. */

import { writeUint64 } from '../../protocols/nbd/bytes.ts';
import {
  type BlockStatus,
  DATA_PREFIX_BYTES,
  encodeBlockStatus,
  encodeBlockStatusExt,
  encodeErrorChunk,
} from '../../protocols/nbd/chunk.ts';
import {
  ChunkType,
  EXTENDED_REPLY_BYTES,
  ReplyFlag,
  SIMPLE_REPLY_BYTES,
  STRUCTURED_REPLY_BYTES,
} from '../../protocols/nbd/constants.ts';
import {
  type ChunkHead,
  encodeExtendedReply,
  encodeSimpleReply,
  encodeStructuredReply,
  type Origin,
} from '../../protocols/nbd/reply.ts';

/** Room in front of the data of a read for any header, a multiple of a cache line so that the data stays aligned. */
export const HEADROOM_BYTES = 64;

export interface Failure {
  /** One of `NbdError`. */
  error: number;
  /** For people; travels where the reply's form has room for it. */
  message: string;
}

export interface ReplyWriter {
  success(origin: Origin): Uint8Array[];
  failure(origin: Origin, failure: Failure): Uint8Array[];
  /** `buffer` holds the data from `HEADROOM_BYTES` on; the header is written right in front of it. */
  data(origin: Origin, buffer: Uint8Array, offsetBytes: number): Uint8Array[];
  /** One chunk per context. */
  blockStatus(origin: Origin, statuses: readonly BlockStatus[]): Uint8Array[];
}

export function createReplyWriter(agreed: {
  structuredReplies: boolean;
  extendedHeaders: boolean;
}): ReplyWriter {
  if (agreed.extendedHeaders) return extendedWriter;
  return agreed.structuredReplies ? structuredWriter : simpleWriter;
}

const simpleWriter: ReplyWriter = {
  success: (origin) => [simpleReply(origin, 0)],
  failure: (origin, { error }) => [simpleReply(origin, error)],
  data(origin, buffer) {
    const start = HEADROOM_BYTES - SIMPLE_REPLY_BYTES;
    encodeSimpleReply(buffer, start, origin, 0);
    return [buffer.subarray(start)];
  },
  blockStatus: () => {
    throw new Error('Bug in devmapper: a simple reply cannot carry a block status');
  },
};

function simpleReply(origin: Origin, error: number): Uint8Array {
  const bytes = new Uint8Array(SIMPLE_REPLY_BYTES);
  encodeSimpleReply(bytes, 0, origin, error);
  return bytes;
}

const structuredWriter = chunkWriter({
  headerBytes: STRUCTURED_REPLY_BYTES,
  encodeHeader: encodeStructuredReply,
  statusType: ChunkType.blockStatus,
  encodeStatus: encodeBlockStatus,
});

const extendedWriter = chunkWriter({
  headerBytes: EXTENDED_REPLY_BYTES,
  encodeHeader: encodeExtendedReply,
  statusType: ChunkType.blockStatusExt,
  encodeStatus: encodeBlockStatusExt,
});

/** What structured and extended replies differ in. */
interface ChunkForm {
  headerBytes: number;
  encodeHeader(bytes: Uint8Array, at: number, origin: Origin, head: ChunkHead): void;
  statusType: number;
  encodeStatus(status: BlockStatus): Uint8Array;
}

function chunkWriter(form: ChunkForm): ReplyWriter {
  const chunk = (origin: Origin, type: number, payload: Uint8Array, last: boolean) => {
    const bytes = new Uint8Array(form.headerBytes + payload.length);
    const flags = last ? ReplyFlag.done : 0;
    form.encodeHeader(bytes, 0, origin, { flags, type, payloadBytes: payload.length });
    bytes.set(payload, form.headerBytes);
    return bytes;
  };
  return {
    success: (origin) => [chunk(origin, ChunkType.none, new Uint8Array(0), true)],
    failure: (origin, failure) => [chunk(origin, ChunkType.error, encodeErrorChunk(failure), true)],
    data(origin, buffer, offsetBytes) {
      const start = HEADROOM_BYTES - form.headerBytes - DATA_PREFIX_BYTES;
      const payloadBytes = buffer.length - HEADROOM_BYTES + DATA_PREFIX_BYTES;
      const head = { flags: ReplyFlag.done, type: ChunkType.offsetData, payloadBytes };
      form.encodeHeader(buffer, start, origin, head);
      writeUint64(buffer, HEADROOM_BYTES - DATA_PREFIX_BYTES, offsetBytes);
      return [buffer.subarray(start)];
    },
    blockStatus: (origin, statuses) =>
      statuses.map((status, index) =>
        chunk(origin, form.statusType, form.encodeStatus(status), index === statuses.length - 1),
      ),
  };
}
