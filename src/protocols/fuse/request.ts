/**
 * Requests as the kernel hands them out of /dev/fuse: a header, a body by opcode, a name or data. Everything is checked
 * against the length of what was read; 64-bit numbers beyond 2^53 become Infinity, which every bounds check refuses.
 */

import { FormatError } from '../../base/errors.ts';
import { IO_BODY_BYTES, MAX_NAME_BYTES, REQUEST_HEADER_BYTES } from './constants.ts';

const utf8 = new TextDecoder();
const WORD = 2 ** 32;
/** A high word above this makes a number beyond 2^53 - 1. */
const HIGH_WORD_MAX = 2 ** 21 - 1;

function readUint64(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  if (high > HIGH_WORD_MAX) return Number.POSITIVE_INFINITY;
  return high * WORD + view.getUint32(at, true);
}

/** What is the same in every request. */
export interface FuseHeader {
  lengthBytes: number;
  opcode: number;
  /** Opaque: comes back in the reply. */
  uniqueLow: number;
  uniqueHigh: number;
  nodeId: number;
}

/** The body of READ and of WRITE. */
export interface IoBody {
  handle: number;
  offsetBytes: number;
  lengthBytes: number;
  /** Of the open file: bits of `OpenFlag`. */
  openFlags: number;
}

export function createHeader(): FuseHeader {
  return { lengthBytes: 0, opcode: 0, uniqueLow: 0, uniqueHigh: 0, nodeId: 0 };
}

export function createIoBody(): IoBody {
  return { handle: 0, offsetBytes: 0, lengthBytes: 0, openFlags: 0 };
}

/** Decodes into `header`, allocating nothing. FormatError unless `countBytes` are exactly one request. */
export function decodeHeader(view: DataView, countBytes: number, header: FuseHeader): void {
  expectBody(countBytes, 0);
  header.lengthBytes = view.getUint32(0, true);
  header.opcode = view.getUint32(4, true);
  header.uniqueLow = view.getUint32(8, true);
  header.uniqueHigh = view.getUint32(12, true);
  header.nodeId = readUint64(view, 16);
  if (header.lengthBytes !== countBytes) {
    throw problem('length', 0, `${countBytes}, what was read`, header.lengthBytes);
  }
}

/** Of READ: `lengthBytes` is what is wanted. Of WRITE: what follows the body, which is checked. */
export function decodeIo(view: DataView, countBytes: number, isWrite: boolean, body: IoBody): void {
  expectBody(countBytes, IO_BODY_BYTES);
  body.handle = readUint64(view, 40);
  body.offsetBytes = readUint64(view, 48);
  body.lengthBytes = view.getUint32(56, true);
  body.openFlags = view.getUint32(72, true);
  const follows = countBytes - REQUEST_HEADER_BYTES - IO_BODY_BYTES;
  if (isWrite && body.lengthBytes !== follows) {
    throw problem('size of write', 56, `${follows}, what follows`, body.lengthBytes);
  }
}

/** Where the data of a WRITE starts. */
export const WRITE_DATA_OFFSET = REQUEST_HEADER_BYTES + IO_BODY_BYTES;

export interface InitBody {
  major: number;
  minor: number;
  maxReadaheadBytes: number;
  flags: number;
  flags2: number;
}

/** The second word of flags came with 7.36; older kernels send 16 bytes. */
export function decodeInit(view: DataView, countBytes: number): InitBody {
  expectBody(countBytes, 8);
  const has = (bytes: number) => countBytes >= REQUEST_HEADER_BYTES + bytes;
  return {
    major: view.getUint32(40, true),
    minor: view.getUint32(44, true),
    maxReadaheadBytes: has(16) ? view.getUint32(48, true) : 0,
    flags: has(16) ? view.getUint32(52, true) : 0,
    flags2: has(20) ? view.getUint32(56, true) : 0,
  };
}

/** Of LOOKUP. */
export function decodeName(view: DataView, countBytes: number): string {
  expectBody(countBytes, 1);
  const bytes = new Uint8Array(view.buffer, view.byteOffset, countBytes);
  const end = bytes.indexOf(0, REQUEST_HEADER_BYTES);
  const lengthBytes = end - REQUEST_HEADER_BYTES;
  if (end < 0 || lengthBytes > MAX_NAME_BYTES) {
    throw problem(
      'name',
      REQUEST_HEADER_BYTES,
      `at most ${MAX_NAME_BYTES} bytes and a NUL`,
      'more',
    );
  }
  return utf8.decode(bytes.subarray(REQUEST_HEADER_BYTES, end));
}

/** Of OPEN and OPENDIR. */
export function decodeOpen(view: DataView, countBytes: number): { openFlags: number } {
  expectBody(countBytes, 8);
  return { openFlags: view.getUint32(40, true) };
}

/** Of RELEASE, RELEASEDIR, FSYNC, FLUSH: all of them begin with the handle. */
export function decodeHandle(view: DataView, countBytes: number): { handle: number } {
  expectBody(countBytes, 8);
  return { handle: readUint64(view, 40) };
}

export interface SetAttributeBody {
  /** Bits of `SetAttribute`. */
  valid: number;
  sizeBytes: number;
  mode: number;
  uid: number;
  gid: number;
}

export function decodeSetAttribute(view: DataView, countBytes: number): SetAttributeBody {
  expectBody(countBytes, 88);
  return {
    valid: view.getUint32(40, true),
    sizeBytes: readUint64(view, 56),
    mode: view.getUint32(108, true),
    uid: view.getUint32(116, true),
    gid: view.getUint32(120, true),
  };
}

export interface ReadDirectoryBody {
  handle: number;
  /** What the last entry's `next` said; 0 for the first. */
  position: number;
  lengthBytes: number;
}

/** Of READDIR and READDIRPLUS. */
export function decodeReadDirectory(view: DataView, countBytes: number): ReadDirectoryBody {
  expectBody(countBytes, 40);
  return {
    handle: readUint64(view, 40),
    position: readUint64(view, 48),
    lengthBytes: view.getUint32(56, true),
  };
}

export interface AllocateBody {
  handle: number;
  offsetBytes: number;
  lengthBytes: number;
  /** Bits of `AllocateFlag`. */
  mode: number;
}

export function decodeAllocate(view: DataView, countBytes: number): AllocateBody {
  expectBody(countBytes, 32);
  return {
    handle: readUint64(view, 40),
    offsetBytes: readUint64(view, 48),
    lengthBytes: readUint64(view, 56),
    mode: view.getUint32(64, true),
  };
}

export interface SeekBody {
  handle: number;
  offsetBytes: number;
  /** One of `Whence`. */
  whence: number;
}

export function decodeSeek(view: DataView, countBytes: number): SeekBody {
  expectBody(countBytes, 24);
  return {
    handle: readUint64(view, 40),
    offsetBytes: readUint64(view, 48),
    whence: view.getUint32(56, true),
  };
}

export interface CopyBody {
  handle: number;
  offsetBytes: number;
  toHandle: number;
  toOffsetBytes: number;
  lengthBytes: number;
}

export function decodeCopy(view: DataView, countBytes: number): CopyBody {
  expectBody(countBytes, 56);
  return {
    handle: readUint64(view, 40),
    offsetBytes: readUint64(view, 48),
    toHandle: readUint64(view, 64),
    toOffsetBytes: readUint64(view, 72),
    lengthBytes: readUint64(view, 80),
  };
}

function expectBody(countBytes: number, bodyBytes: number): void {
  const wanted = REQUEST_HEADER_BYTES + bodyBytes;
  if (countBytes < wanted) throw problem('body', 0, `at least ${wanted} bytes`, countBytes);
}

function problem(
  field: string,
  offsetBytes: number,
  expected: string,
  got: number | string,
): FormatError {
  return new FormatError({
    format: 'FUSE request',
    field,
    offsetBytes,
    expected,
    got: String(got),
  });
}
