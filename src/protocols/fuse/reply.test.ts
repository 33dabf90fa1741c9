import { expect, test } from 'vitest';
import { FileType } from './constants.ts';
import {
  type Attributes,
  attributesReply,
  DirectoryReply,
  encodeReplyHeader,
  entryReply,
  initReply,
  openReply,
  seekReply,
  spaceReply,
  writtenReply,
} from './reply.ts';

const attributes: Attributes = {
  nodeId: 6,
  sizeBytes: 2 ** 40 + 512,
  mode: FileType.regular | 0o600,
  linkCount: 1,
  uid: 11,
  gid: 12,
  blockBytes: 4096,
  timeSeconds: 1000,
};

/** The fields of struct fuse_attr at `at`, as linux/fuse.h lays them out. */
function readAttributes(bytes: Uint8Array, at: number) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    ino: view.getBigUint64(at, true),
    size: view.getBigUint64(at + 8, true),
    blocks: view.getBigUint64(at + 16, true),
    mtime: view.getBigUint64(at + 32, true),
    mode: view.getUint32(at + 60, true),
    nlink: view.getUint32(at + 64, true),
    uid: view.getUint32(at + 68, true),
    gid: view.getUint32(at + 72, true),
    blksize: view.getUint32(at + 80, true),
  };
}

const expectedAttributes = {
  ino: 6n,
  size: 2n ** 40n + 512n,
  blocks: 2n ** 31n + 1n,
  mtime: 1000n,
  mode: 0o100600,
  nlink: 1,
  uid: 11,
  gid: 12,
  blksize: 4096,
};

test('a header repeats the request’s number and carries the errno below zero', () => {
  const view = new DataView(new ArrayBuffer(16));
  encodeReplyHeader(view, 16, 28, { uniqueLow: 0x9abcdef0, uniqueHigh: 0x12345678 });
  expect(view.getUint32(0, true)).toBe(16);
  expect(view.getInt32(4, true)).toBe(-28);
  expect(view.getBigUint64(8, true)).toBe(0x1234_5678_9abc_def0n);
});

test('attributes and entries, neither to be kept', () => {
  const plain = attributesReply(attributes);
  expect(plain.length).toBe(16 + 104);
  expect(readAttributes(plain, 32)).toEqual(expectedAttributes);
  const entry = entryReply(attributes);
  expect(entry.length).toBe(16 + 128);
  expect(new DataView(entry.buffer).getBigUint64(16, true)).toBe(6n);
  expect(readAttributes(entry, 56)).toEqual(expectedAttributes);
  expect(entry.subarray(24, 56).every((byte) => byte === 0)).toBe(true);
});

test('the lengths of the others are those of their structs', () => {
  const init = initReply({ minor: 36, maxReadaheadBytes: 0, flags: 0, flags2: 16 });
  expect(init.length).toBe(16 + 64);
  const view = new DataView(init.buffer);
  expect([view.getUint32(16, true), view.getUint32(20, true)]).toEqual([7, 36]);
  expect([view.getUint32(36, true), view.getUint16(44, true)]).toEqual([1024 * 1024, 256]);
  expect(view.getUint32(48, true)).toBe(16);
  expect(openReply(1, 65).length).toBe(16 + 16);
  expect(writtenReply(4096).length).toBe(16 + 8);
  expect(seekReply(4096).length).toBe(16 + 8);
  const space = { blockBytes: 4096, blockCount: 1, fileCount: 2, nameBytes: 255 };
  expect(spaceReply(space).length).toBe(16 + 80);
});

test('a listing holds whole entries, padded to eight bytes, until it is full', () => {
  const reply = new DirectoryReply(80, false);
  expect(reply.add({ name: 'a', attributes, next: 1 })).toBe(true);
  expect(reply.add({ name: 'longer-name', attributes, next: 2 })).toBe(true);
  expect(reply.add({ name: 'b', attributes, next: 3 })).toBe(false);
  const bytes = reply.bytes();
  expect(bytes.length).toBe(16 + 32 + 40);
  const second = new DataView(bytes.buffer, 16 + 32);
  expect(second.getBigUint64(0, true)).toBe(6n);
  expect(second.getBigUint64(8, true)).toBe(2n);
  expect([second.getUint32(16, true), second.getUint32(20, true)]).toEqual([11, 8]);
  expect(Buffer.from(bytes.subarray(72, 83)).toString()).toBe('longer-name');
});

test('with attributes, each entry says what its node is; dots do not', () => {
  const reply = new DirectoryReply(4096, true);
  reply.add({ name: '.', attributes, next: 1 });
  reply.add({ name: 'disk', attributes, next: 2 });
  const bytes = reply.bytes();
  const view = new DataView(bytes.buffer);
  expect(bytes.length).toBe(16 + 2 * (128 + 32));
  expect(view.getBigUint64(16, true)).toBe(0n);
  expect(view.getBigUint64(16 + 160, true)).toBe(6n);
  expect(readAttributes(bytes, 16 + 160 + 40)).toEqual(expectedAttributes);
});
