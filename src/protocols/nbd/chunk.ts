/** Payloads of structured and extended reply chunks. Data itself is never copied here. */

import { assert } from '../../base/assert.ts';
import { FormatError } from '../../base/errors.ts';
import { writeUint16, writeUint32, writeUint64 } from './bytes.ts';
import { ChunkType } from './constants.ts';
import { encodeString, FrameReader, joinBytes } from './frame-reader.ts';

/** In front of the data of an `offsetData` chunk. */
export const DATA_PREFIX_BYTES = 8;
export const HOLE_BYTES = 12;

export interface Hole {
  offsetBytes: number;
  lengthBytes: number;
}

export function encodeHole({ offsetBytes, lengthBytes }: Hole): Uint8Array {
  const bytes = new Uint8Array(HOLE_BYTES);
  writeUint64(bytes, 0, offsetBytes);
  writeUint32(bytes, 8, lengthBytes);
  return bytes;
}

export function decodeHole(bytes: Uint8Array): Hole {
  const reader = new FrameReader('NBD hole chunk', bytes);
  const hole = { offsetBytes: reader.uint64('offset'), lengthBytes: reader.uint32('hole size') };
  if (hole.lengthBytes === 0) throw reader.problem('hole size', 'at least 1 byte', '0');
  reader.end();
  return hole;
}

export interface ErrorChunk {
  /** One of `NbdError`; never 0. */
  error: number;
  message: string;
  /** Where it happened, for `ChunkType.errorOffset`. */
  offsetBytes?: number;
}

/** The payload for `ChunkType.error`, or for `errorOffset` when the offset is known. */
export function encodeErrorChunk({ error, message, offsetBytes }: ErrorChunk): Uint8Array {
  assert(error !== 0, 'an error chunk carries an error');
  const text = encodeString('error message', message);
  const head = new Uint8Array(6);
  writeUint32(head, 0, error);
  writeUint16(head, 4, text.length);
  const tail = new Uint8Array(offsetBytes === undefined ? 0 : 8);
  if (offsetBytes !== undefined) writeUint64(tail, 0, offsetBytes);
  return joinBytes(head, text, tail);
}

/** Any chunk type of bit 15: what an unknown one adds behind the message is ignored, as the protocol wants. */
export function decodeErrorChunk(type: number, bytes: Uint8Array): ErrorChunk {
  const reader = new FrameReader('NBD error chunk', bytes);
  const error = reader.uint32('error');
  if (error === 0) throw reader.problem('error', 'an error number', '0');
  const message = reader.string('message', reader.uint16('message length'));
  if (type === ChunkType.errorOffset) {
    const offsetBytes = reader.uint64('offset');
    reader.end();
    return { error, message, offsetBytes };
  }
  if (type === ChunkType.error) reader.end();
  return { error, message };
}

/** One descriptor of a block status chunk. */
export interface StatusExtent {
  lengthBytes: number;
  /** What the bits mean is the context's to say. */
  flags: number;
}

export interface BlockStatus {
  contextId: number;
  extents: StatusExtent[];
}

/** The payload for `ChunkType.blockStatus`: lengths and flags of 32 bits. */
export function encodeBlockStatus({ contextId, extents }: BlockStatus): Uint8Array {
  const bytes = new Uint8Array(4 + 8 * extents.length);
  writeUint32(bytes, 0, contextId);
  extents.forEach(({ lengthBytes, flags }, index) => {
    assert(lengthBytes > 0 && lengthBytes < 2 ** 32 && flags < 2 ** 32, 'extent fits 32 bits');
    writeUint32(bytes, 4 + 8 * index, lengthBytes);
    writeUint32(bytes, 8 + 8 * index, flags);
  });
  return bytes;
}

/** The payload for `ChunkType.blockStatusExt`: lengths and flags of 64 bits. */
export function encodeBlockStatusExt({ contextId, extents }: BlockStatus): Uint8Array {
  const bytes = new Uint8Array(8 + 16 * extents.length);
  writeUint32(bytes, 0, contextId);
  writeUint32(bytes, 4, extents.length);
  extents.forEach(({ lengthBytes, flags }, index) => {
    writeUint64(bytes, 8 + 16 * index, lengthBytes);
    writeUint64(bytes, 16 + 16 * index, flags);
  });
  return bytes;
}

export function decodeBlockStatus(type: number, bytes: Uint8Array): BlockStatus {
  const format = 'NBD block status chunk';
  const extended = type === ChunkType.blockStatusExt;
  const [headBytes, extentBytes] = extended ? [8, 16] : [4, 8];
  const extentCount = (bytes.length - headBytes) / extentBytes;
  if (!Number.isInteger(extentCount) || extentCount < 1) {
    const expected = `${headBytes} bytes and ${extentBytes} for each extent`;
    const got = `${bytes.length} bytes`;
    throw new FormatError({ format, field: 'length', offsetBytes: 0, expected, got });
  }
  const reader = new FrameReader(format, bytes);
  const contextId = reader.uint32('context id');
  const declared = extended ? reader.uint32('descriptor count') : extentCount;
  if (declared !== extentCount) {
    throw reader.problem('descriptor count', `${extentCount}`, `${declared}`);
  }
  const extents: StatusExtent[] = [];
  while (reader.remaining > 0) extents.push(decodeExtent(reader, extended));
  return { contextId, extents };
}

function decodeExtent(reader: FrameReader, extended: boolean): StatusExtent {
  const lengthBytes = extended ? reader.uint64('extent length') : reader.uint32('extent length');
  if (lengthBytes === 0) throw reader.problem('extent length', 'at least 1 byte', '0');
  const flags = extended ? reader.uint64('status flags') : reader.uint32('status flags');
  return { lengthBytes, flags };
}
