import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import {
  decodeBlockStatus,
  decodeErrorChunk,
  decodeHole,
  encodeBlockStatus,
  encodeBlockStatusExt,
  encodeErrorChunk,
  encodeHole,
} from './chunk.ts';
import { ChunkType, NbdError, ReplyFlag } from './constants.ts';
import {
  createReply,
  decodeReply,
  encodeExtendedReply,
  encodeSimpleReply,
  encodeStructuredReply,
  replyHeaderBytes,
} from './reply.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const fromHex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const origin = { cookieHigh: 0x01020304, cookieLow: 0xf5060708, offsetHigh: 1, offsetLow: 0x200 };
const cookie = { cookieHigh: 0x01020304, cookieLow: 0xf5060708 };
const chunk = { flags: ReplyFlag.done, type: ChunkType.offsetData, payloadBytes: 520 };

describe('reply headers', () => {
  test('simple', () => {
    const bytes = new Uint8Array(17);
    encodeSimpleReply(bytes, 1, origin, NbdError.EINVAL);
    expect(hex(bytes.subarray(1))).toBe('674466980000001601020304f5060708');
    const reply = createReply();
    expect(decodeReply(bytes, 1, reply)).toBe(16);
    expect(reply).toMatchObject({ kind: 'simple', error: 22, ...cookie, payloadBytes: 0 });
  });

  test('structured', () => {
    const bytes = new Uint8Array(20);
    encodeStructuredReply(bytes, 0, origin, chunk);
    expect(hex(bytes)).toBe('668e33ef0001000101020304f506070800000208');
    const reply = createReply();
    expect(decodeReply(bytes, 0, reply)).toBe(20);
    expect(reply).toMatchObject({ kind: 'structured', error: 0, ...cookie, ...chunk });
  });

  test('extended, which repeats the offset', () => {
    const bytes = new Uint8Array(32);
    encodeExtendedReply(bytes, 0, origin, chunk);
    expect(hex(bytes)).toBe('6e8a278c0001000101020304f506070800000001000002000000000000000208');
    const reply = createReply();
    expect(decodeReply(bytes, 0, reply)).toBe(32);
    expect(reply).toMatchObject({
      kind: 'extended',
      ...cookie,
      ...chunk,
      offsetBytes: 0x1_0000_0200,
    });
  });

  test('an unknown magic number is refused', () => {
    expect(() => replyHeaderBytes(new Uint8Array([1, 2, 3, 4]), 0)).toThrow(
      /NBD reply: magic at byte 0: .* got 0x01020304/,
    );
  });
});

describe('chunk payloads', () => {
  test('a hole', () => {
    const hole = { offsetBytes: 2 ** 33, lengthBytes: 512 };
    expect(hex(encodeHole(hole))).toBe('000000020000000000000200');
    expect(decodeHole(encodeHole(hole))).toEqual(hole);
    expect(() => decodeHole(new Uint8Array(12))).toThrow('hole size');
    expect(() => decodeHole(new Uint8Array(11))).toThrow('expected 4 bytes, got 3 bytes');
  });

  test('an error with and without its place', () => {
    const plain = encodeErrorChunk({ error: 5, message: 'no' });
    expect(hex(plain)).toBe('0000000500026e6f');
    expect(decodeErrorChunk(ChunkType.error, plain)).toEqual({ error: 5, message: 'no' });
    const placed = encodeErrorChunk({ error: 5, message: 'no', offsetBytes: 512 });
    expect(hex(placed)).toBe('0000000500026e6f0000000000000200');
    expect(decodeErrorChunk(ChunkType.errorOffset, placed)).toEqual({
      error: 5,
      message: 'no',
      offsetBytes: 512,
    });
    // A later protocol may add fields to an error we do not know.
    expect(decodeErrorChunk(0x8003, placed)).toEqual({ error: 5, message: 'no' });
  });

  test.each([
    ['no error', '00000000 0000', /error at byte 4: expected an error number, got 0/],
    ['a message longer than the chunk', '00000005 0003 6e6f', /message at byte 6: expected 3/],
    ['bytes behind the message', '00000005 0000 00', /end at byte 6: expected no more/],
    ['a message that is not UTF-8', '00000005 0001 ff', /message at byte 6: expected UTF-8/],
    ['a message with NUL', '00000005 0001 00', /message at byte 6: expected a string without NUL/],
  ])('an error chunk with %s is refused', (_name, bytes, error) => {
    expect(() => decodeErrorChunk(ChunkType.error, fromHex(bytes))).toThrow(error);
  });

  test('block status of 32 and of 64 bits', () => {
    const extents = [
      { lengthBytes: 4096, flags: 3 },
      { lengthBytes: 512, flags: 0 },
    ];
    const compact = encodeBlockStatus({ contextId: 7, extents });
    expect(hex(compact)).toBe('0000000700001000000000030000020000000000');
    expect(decodeBlockStatus(ChunkType.blockStatus, compact)).toEqual({ contextId: 7, extents });
    const wide = [{ lengthBytes: 2 ** 40, flags: 2 ** 33 }];
    const extended = encodeBlockStatusExt({ contextId: 7, extents: wide });
    expect(hex(extended)).toBe('000000070000000100000100000000000000000200000000');
    expect(decodeBlockStatus(ChunkType.blockStatusExt, extended)).toEqual({
      contextId: 7,
      extents: wide,
    });
    expect(() => encodeBlockStatus({ contextId: 7, extents: wide })).toThrow('fits 32 bits');
  });

  test.each([
    ['no extent', ChunkType.blockStatus, '00000007', /expected 4 bytes and 8 for each/],
    ['half an extent', ChunkType.blockStatus, '00000007 00001000', /expected 4 bytes and 8/],
    ['an empty extent', ChunkType.blockStatus, '00000007 00000000 00000000', /at least 1 byte/],
    [
      'a wrong count',
      ChunkType.blockStatusExt,
      '00000007 00000002 0000010000000000 0000000000000000',
      /descriptor count at byte 8: expected 1, got 2/,
    ],
  ])('a block status with %s is refused', (_name, type, bytes, error) => {
    expect(() => decodeBlockStatus(type, fromHex(bytes))).toThrow(error);
  });
});
