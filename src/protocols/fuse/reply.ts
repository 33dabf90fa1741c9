/** Replies to the kernel: a header of 16 bytes, then what the opcode answers with. A failure is the header alone. */

import { assert } from '../../base/assert.ts';
import { MAJOR_VERSION, MAX_IO_BYTES, MAX_IO_PAGES, REPLY_HEADER_BYTES } from './constants.ts';
import type { FuseHeader } from './request.ts';

const utf8 = new TextEncoder();
const WORD = 2 ** 32;
const ATTRIBUTE_BYTES = 88;
const ENTRY_BYTES = 40 + ATTRIBUTE_BYTES;
const DIRECTORY_ENTRY_BYTES = 24;

/** The kernel gives up what is queued beyond this; far above what programs keep under way. */
const MAX_BACKGROUND = 512;

/** What a file or directory says about itself. */
export interface Attributes {
  nodeId: number;
  sizeBytes: number;
  /** Type and permissions. */
  mode: number;
  linkCount: number;
  uid: number;
  gid: number;
  blockBytes: number;
  /** Seconds since 1970, of all three times. */
  timeSeconds: number;
}

/** Writes the header of a reply of `lengthBytes` altogether; `errno` is 0 for success. */
export function encodeReplyHeader(
  view: DataView,
  lengthBytes: number,
  errno: number,
  { uniqueLow, uniqueHigh }: Pick<FuseHeader, 'uniqueLow' | 'uniqueHigh'>,
): void {
  view.setUint32(0, lengthBytes, true);
  view.setInt32(4, -errno, true);
  view.setUint32(8, uniqueLow, true);
  view.setUint32(12, uniqueHigh, true);
}

/** A reply under construction: room for the header, then `bodyBytes` of zeroes. */
function createReply(bodyBytes: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(REPLY_HEADER_BYTES + bodyBytes);
  return { bytes, view: new DataView(bytes.buffer) };
}

function writeUint64(view: DataView, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, '64-bit field holds a whole number below 2^53');
  view.setUint32(at, value % WORD, true);
  view.setUint32(at + 4, Math.floor(value / WORD), true);
}

export function emptyReply(): Uint8Array {
  return createReply(0).bytes;
}

export interface InitReply {
  minor: number;
  maxReadaheadBytes: number;
  flags: number;
  flags2: number;
}

export function initReply(init: InitReply): Uint8Array {
  const { bytes, view } = createReply(64);
  view.setUint32(16, MAJOR_VERSION, true);
  view.setUint32(20, init.minor, true);
  view.setUint32(24, init.maxReadaheadBytes, true);
  view.setUint32(28, init.flags, true);
  view.setUint16(32, MAX_BACKGROUND, true);
  // When it is congested, the kernel holds read-ahead back.
  view.setUint16(34, MAX_BACKGROUND, true);
  view.setUint32(36, MAX_IO_BYTES, true);
  // Times in steps of a nanosecond.
  view.setUint32(40, 1, true);
  view.setUint16(44, MAX_IO_PAGES, true);
  view.setUint32(48, init.flags2, true);
  return bytes;
}

/** To LOOKUP. No timeouts: names and sizes change without a word to the kernel. */
export function entryReply(attributes: Attributes): Uint8Array {
  const { bytes, view } = createReply(ENTRY_BYTES);
  writeEntry(view, REPLY_HEADER_BYTES, attributes);
  return bytes;
}

/** To GETATTR and SETATTR. */
export function attributesReply(attributes: Attributes): Uint8Array {
  const { bytes, view } = createReply(16 + ATTRIBUTE_BYTES);
  writeAttributes(view, REPLY_HEADER_BYTES + 16, attributes);
  return bytes;
}

/** To OPEN and OPENDIR; `flags` are bits of `OpenReplyFlag`. */
export function openReply(handle: number, flags: number): Uint8Array {
  const { bytes, view } = createReply(16);
  writeUint64(view, 16, handle);
  view.setUint32(24, flags, true);
  return bytes;
}

/** The handle in a reply that `openReply` made. */
export function openedHandle(reply: Uint8Array): number {
  const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
  return view.getUint32(20, true) * WORD + view.getUint32(16, true);
}

/** To WRITE and COPY_FILE_RANGE: header and body. */
export const WRITTEN_BYTES = REPLY_HEADER_BYTES + 8;

export function encodeWritten(view: DataView, lengthBytes: number): void {
  view.setUint32(16, lengthBytes, true);
  view.setUint32(20, 0, true);
}

export function writtenReply(lengthBytes: number): Uint8Array {
  const { bytes, view } = createReply(8);
  encodeWritten(view, lengthBytes);
  return bytes;
}

export function seekReply(offsetBytes: number): Uint8Array {
  const { bytes, view } = createReply(8);
  writeUint64(view, 16, offsetBytes);
  return bytes;
}

export interface FileSystemSpace {
  blockBytes: number;
  blockCount: number;
  fileCount: number;
  nameBytes: number;
}

/** To STATFS: all of it is used. */
export function spaceReply(space: FileSystemSpace): Uint8Array {
  const { bytes, view } = createReply(80);
  writeUint64(view, 16, space.blockCount);
  writeUint64(view, 40, space.fileCount);
  view.setUint32(56, space.blockBytes, true);
  view.setUint32(60, space.nameBytes, true);
  view.setUint32(64, space.blockBytes, true);
  return bytes;
}

function writeEntry(view: DataView, at: number, attributes: Attributes): void {
  writeUint64(view, at, attributes.nodeId);
  writeAttributes(view, at + 40, attributes);
}

function writeAttributes(view: DataView, at: number, attributes: Attributes): void {
  const { nodeId, sizeBytes, timeSeconds } = attributes;
  writeUint64(view, at, nodeId);
  writeUint64(view, at + 8, sizeBytes);
  writeUint64(view, at + 16, Math.ceil(sizeBytes / 512));
  for (const time of [24, 32, 40]) writeUint64(view, at + time, timeSeconds);
  view.setUint32(at + 60, attributes.mode, true);
  view.setUint32(at + 64, attributes.linkCount, true);
  view.setUint32(at + 68, attributes.uid, true);
  view.setUint32(at + 72, attributes.gid, true);
  view.setUint32(at + 80, attributes.blockBytes, true);
}

export interface DirectoryEntry {
  name: string;
  attributes: Attributes;
  /** Where the listing goes on behind this entry. */
  next: number;
}

/** Gathers entries of READDIR or, with attributes, READDIRPLUS until the kernel's buffer is full. */
export class DirectoryReply {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #isPlus: boolean;
  readonly #limitBytes: number;
  #usedBytes = REPLY_HEADER_BYTES;

  constructor(limitBytes: number, isPlus: boolean) {
    const bodyBytes = Math.min(limitBytes, MAX_IO_BYTES);
    const { bytes, view } = createReply(bodyBytes);
    this.#bytes = bytes;
    this.#view = view;
    this.#isPlus = isPlus;
    this.#limitBytes = bytes.length;
  }

  /** False when it does not fit: the kernel asks again. */
  add({ name, attributes, next }: DirectoryEntry): boolean {
    const nameBytes = utf8.encode(name);
    const entryAt = this.#usedBytes + (this.#isPlus ? ENTRY_BYTES : 0);
    const end = entryAt + Math.ceil((DIRECTORY_ENTRY_BYTES + nameBytes.length) / 8) * 8;
    if (end > this.#limitBytes) return false;
    const view = this.#view;
    // `.` and `..` stay without attributes: the kernel knows them.
    if (this.#isPlus && !/^\.\.?$/.test(name)) writeEntry(view, this.#usedBytes, attributes);
    writeUint64(view, entryAt, attributes.nodeId);
    writeUint64(view, entryAt + 8, next);
    view.setUint32(entryAt + 16, nameBytes.length, true);
    view.setUint32(entryAt + 20, attributes.mode >>> 12, true);
    this.#bytes.set(nameBytes, entryAt + DIRECTORY_ENTRY_BYTES);
    this.#usedBytes = end;
    return true;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#usedBytes);
  }
}
