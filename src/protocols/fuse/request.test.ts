import { expect, test } from 'vitest';
import { FormatError } from '../../base/errors.ts';
import { createPrng } from '../../base/prng.ts';
import { Opcode, REQUEST_HEADER_BYTES } from './constants.ts';
import {
  createHeader,
  createIoBody,
  decodeAllocate,
  decodeCopy,
  decodeHandle,
  decodeHeader,
  decodeInit,
  decodeIo,
  decodeName,
  decodeOpen,
  decodeReadDirectory,
  decodeSeek,
  decodeSetAttribute,
} from './request.ts';

/** As the kernel writes it: header of `opcode`, then the body. */
function request(opcode: number, body: Uint8Array, nodeId = 7n): DataView {
  const bytes = new Uint8Array(REQUEST_HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint32(4, opcode, true);
  view.setBigUint64(8, 0x1234_5678_9abc_def0n, true);
  view.setBigUint64(16, nodeId, true);
  bytes.set(body, REQUEST_HEADER_BYTES);
  return view;
}

/** `u32` fields as numbers, `u64` as bigints. */
function body(...fields: (number | bigint)[]): Uint8Array {
  const parts = fields.map((field) => {
    const part = Buffer.alloc(typeof field === 'number' ? 4 : 8);
    if (typeof field === 'number') part.writeUInt32LE(field);
    else part.writeBigUInt64LE(field);
    return part;
  });
  return Buffer.concat(parts);
}

test('a header gives opcode, node and the words that the reply repeats', () => {
  const header = createHeader();
  const view = request(Opcode.read, new Uint8Array(40));
  decodeHeader(view, 80, header);
  expect(header).toEqual({
    lengthBytes: 80,
    opcode: 15,
    uniqueLow: 0x9abcdef0,
    uniqueHigh: 0x12345678,
    nodeId: 7,
  });
});

test('a header that does not fit what was read is refused', () => {
  const view = request(Opcode.read, new Uint8Array(40));
  expect(() => decodeHeader(view, 79, createHeader())).toThrow(/length at byte 0: expected 79/);
  expect(() => decodeHeader(view, 39, createHeader())).toThrow(/at least 40 bytes, got 39/);
});

test('reads and writes', () => {
  const io = createIoBody();
  // fh, offset, size, flags, lock owner, open flags, padding
  const fields = [3n, 8192n, 4096, 0, 9n, 0o10000, 0] as const;
  decodeIo(request(Opcode.read, body(...fields)), 80, false, io);
  expect(io).toEqual({ handle: 3, offsetBytes: 8192, lengthBytes: 4096, openFlags: 0o10000 });
  const write = request(Opcode.write, Buffer.concat([body(...fields), Buffer.alloc(4096)]));
  decodeIo(write, 80 + 4096, true, io);
  expect(() => decodeIo(write, 80 + 4095, true, io)).toThrow(/size of write .* got 4096/);
  decodeIo(request(Opcode.read, body(3n, 2n ** 60n, 1, 0, 0n, 0, 0)), 80, false, io);
  expect(io.offsetBytes).toBe(Number.POSITIVE_INFINITY);
});

test('the other bodies', () => {
  const init = request(Opcode.init, body(7, 45, 131072, 0xf00, 16, ...Array<number>(11).fill(0)));
  const initBody = { major: 7, minor: 45, maxReadaheadBytes: 131072, flags: 0xf00, flags2: 16 };
  expect(decodeInit(init, 104)).toEqual(initBody);
  expect(decodeInit(init, 56)).toEqual({ ...initBody, flags2: 0 });
  expect(decodeOpen(request(Opcode.open, body(0o2, 0)), 48)).toEqual({ openFlags: 2 });
  expect(decodeHandle(request(Opcode.release, body(5n, 0, 0, 0n)), 64)).toEqual({ handle: 5 });
  const set = body(8, 0, 1n, 4096n, 0n, 0n, 0n, 0n, 0, 0, 0, 0o600, 0, 11, 12, 0);
  expect(decodeSetAttribute(request(Opcode.setattr, set), 128)).toEqual({
    ...{ valid: 8, sizeBytes: 4096, mode: 0o600, uid: 11, gid: 12 },
  });
  const list = request(Opcode.readdir, body(1n, 2n, 4096, 0, 0n, 0, 0));
  expect(decodeReadDirectory(list, 80)).toEqual({ handle: 1, position: 2, lengthBytes: 4096 });
  const allocate = request(Opcode.fallocate, body(1n, 512n, 1024n, 3, 0));
  expect(decodeAllocate(allocate, 72)).toEqual({
    ...{ handle: 1, offsetBytes: 512, lengthBytes: 1024, mode: 3 },
  });
  const seek = request(Opcode.lseek, body(1n, 512n, 4, 0));
  expect(decodeSeek(seek, 64)).toEqual({ handle: 1, offsetBytes: 512, whence: 4 });
  const copy = request(Opcode.copyFileRange, body(1n, 2n, 3n, 4n, 5n, 6n, 0n));
  expect(decodeCopy(copy, 96)).toEqual({
    ...{ handle: 1, offsetBytes: 2, toHandle: 4, toOffsetBytes: 5, lengthBytes: 6 },
  });
});

test('names end at their NUL, and have one', () => {
  const named = (text: string) => request(Opcode.lookup, Buffer.from(text));
  expect(decodeName(named('disk\0'), 45)).toBe('disk');
  expect(decodeName(named('ä\0more\0'), 48)).toBe('ä');
  expect(() => decodeName(named('disk'), 44)).toThrow(FormatError);
  expect(() => decodeName(named(`${'x'.repeat(256)}\0`), 297)).toThrow(/at most 255 bytes/);
});

test('whatever the bytes are, the answer is a value or a FormatError', () => {
  const prng = createPrng(1);
  const decoders = [
    decodeInit,
    decodeName,
    decodeOpen,
    decodeHandle,
    decodeSetAttribute,
    decodeReadDirectory,
    decodeAllocate,
    decodeSeek,
    decodeCopy,
  ];
  for (let round = 0; round < 300; round += 1) {
    const bytes = prng.fill(new Uint8Array(round % 140));
    const view = new DataView(bytes.buffer);
    for (const decode of decoders) {
      try {
        decode(view, bytes.length);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }
  }
});
