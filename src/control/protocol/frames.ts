/**
 * What goes over the Unix socket `control`: an ioctl each way, little endian, in any number on one connection, one at a time.
 * docs/control-protocol.md is the description for others; this file is its only implementation for both sides.
 *
 * Request: magic, frame length, ioctl number, flags, length of the directory, length of the buffer, directory, buffer.
 * Reply: magic, frame length, errno (0: done), length of the buffer, length of the reason, buffer, reason.
 *
 * Closing the connection interrupts the request that is under way (DEV_WAIT ends with EINTR in the kernel).
 */

import { FormatError } from '../../base/errors.ts';
import type { FrameShape } from './frame-reader.ts';

export const FRAME_MAGIC = 0x4d44_4c4f;
export const REQUEST_HEADER_BYTES = 24;
export const REPLY_HEADER_BYTES = 20;
/** The kernel takes up to 2 GiB; nothing that is not an attack needs more than this. */
export const MAX_BUFFER_BYTES = 64 * 1024 * 1024;
export const MAX_DIRECTORY_BYTES = 4096;
const MAX_REASON_BYTES = 64 * 1024;

/** Instead of an ioctl number: the buffer is JSON, `{"method": string, "params": object}`, for the daemon itself. */
export const DAEMON_REQUEST = 0;

export const RequestFlag = {
  /** The reply shall say in words why the request failed. */
  reason: 1 << 0,
} as const;

export interface ControlRequest {
  /** `IOCTL_BASE + command`, or `DAEMON_REQUEST`. */
  ioctl: number;
  wantsReason: boolean;
  /** Relative device paths in a table are relative to it; '' refuses them. */
  directory: string;
  buffer: Uint8Array;
}

export interface ControlReply {
  errno: number;
  buffer: Uint8Array;
  reason: string;
}

/** Words of the headers, by index. */
const LENGTH_WORD = 1;
const REQUEST_WORDS = { ioctl: 2, flags: 3, directoryBytes: 4, bufferBytes: 5 } as const;
const REPLY_WORDS = { errno: 2, bufferBytes: 3, reasonBytes: 4 } as const;

function word(view: DataView, index: number): number {
  return view.getUint32(index * 4, true);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The pieces of a frame in their order; buffers are not copied. */
export function encodeRequest(request: ControlRequest): Uint8Array[] {
  const { ioctl, wantsReason, buffer } = request;
  const directory = Buffer.from(request.directory);
  const flags = wantsReason ? RequestFlag.reason : 0;
  return encode([ioctl, flags, directory.length, buffer.byteLength], [directory, buffer]);
}

/** The pieces of a frame in their order; the buffer is not copied. */
export function encodeReply({ errno, buffer, reason }: ControlReply): Uint8Array[] {
  const words = Buffer.from(reason).subarray(0, MAX_REASON_BYTES);
  return encode([errno, buffer.byteLength, words.length], [buffer, words]);
}

function encode(fields: readonly number[], parts: readonly Uint8Array[]): Uint8Array[] {
  const header = new Uint8Array((2 + fields.length) * 4);
  const view = viewOf(header);
  const bodyBytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  view.setUint32(0, FRAME_MAGIC, true);
  view.setUint32(LENGTH_WORD * 4, header.byteLength + bodyBytes, true);
  fields.forEach((field, index) => {
    view.setUint32((2 + index) * 4, field, true);
  });
  return [header, ...parts.filter((part) => part.byteLength > 0)];
}

/** How a server reads: for `FrameReader`. Directories that are not UTF-8 come out with replacement characters. */
export const requestShape: FrameShape<ControlRequest> = {
  headerBytes: REQUEST_HEADER_BYTES,
  bodyBytes(header) {
    const view = viewOf(header);
    const directoryBytes = word(view, REQUEST_WORDS.directoryBytes);
    const bufferBytes = word(view, REQUEST_WORDS.bufferBytes);
    checkMagic('control request', view);
    checkLimit('control request', 'directory length', 16, directoryBytes, MAX_DIRECTORY_BYTES);
    checkLimit('control request', 'buffer length', 20, bufferBytes, MAX_BUFFER_BYTES);
    return checkLength('control request', view, REQUEST_HEADER_BYTES, directoryBytes + bufferBytes);
  },
  decode(header, body) {
    const view = viewOf(header);
    const directoryBytes = word(view, REQUEST_WORDS.directoryBytes);
    return {
      ioctl: word(view, REQUEST_WORDS.ioctl),
      wantsReason: (word(view, REQUEST_WORDS.flags) & RequestFlag.reason) !== 0,
      directory: text(body.subarray(0, directoryBytes)),
      buffer: body.subarray(directoryBytes),
    };
  },
};

/** How a client reads: for `FrameReader`. */
export const replyShape: FrameShape<ControlReply> = {
  headerBytes: REPLY_HEADER_BYTES,
  bodyBytes(header) {
    const view = viewOf(header);
    const bufferBytes = word(view, REPLY_WORDS.bufferBytes);
    const reasonBytes = word(view, REPLY_WORDS.reasonBytes);
    checkMagic('control reply', view);
    checkLimit('control reply', 'buffer length', 12, bufferBytes, MAX_BUFFER_BYTES);
    checkLimit('control reply', 'reason length', 16, reasonBytes, MAX_REASON_BYTES);
    return checkLength('control reply', view, REPLY_HEADER_BYTES, bufferBytes + reasonBytes);
  },
  decode(header, body) {
    const view = viewOf(header);
    const bufferBytes = word(view, REPLY_WORDS.bufferBytes);
    return {
      errno: word(view, REPLY_WORDS.errno),
      buffer: body.subarray(0, bufferBytes),
      reason: text(body.subarray(bufferBytes)),
    };
  },
};

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function checkMagic(format: string, view: DataView): void {
  const magic = word(view, 0);
  if (magic === FRAME_MAGIC) return;
  const expected = `0x${FRAME_MAGIC.toString(16)}`;
  const got = `0x${magic.toString(16)}`;
  throw new FormatError({ format, field: 'magic', offsetBytes: 0, expected, got });
}

function checkLimit(
  format: string,
  field: string,
  offsetBytes: number,
  value: number,
  limit: number,
): void {
  if (value <= limit) return;
  const expected = `at most ${limit} bytes`;
  throw new FormatError({ format, field, offsetBytes, expected, got: `${value}` });
}

function checkLength(format: string, view: DataView, headerBytes: number, bodyBytes: number) {
  const lengthBytes = word(view, LENGTH_WORD);
  if (lengthBytes === headerBytes + bodyBytes) return bodyBytes;
  throw new FormatError({
    format,
    field: 'frame length',
    offsetBytes: 4,
    expected: `${headerBytes + bodyBytes}, the sum of its parts`,
    got: `${lengthBytes}`,
  });
}
