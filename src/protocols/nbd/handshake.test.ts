import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { Info, Option, OptionReply } from './constants.ts';
import {
  decodeClientFlags,
  decodeExportReply,
  decodeGreeting,
  decodeListedExport,
  decodeOptionHeader,
  decodeOptionReplyHeader,
  encodeClientFlags,
  encodeExportReply,
  encodeGreeting,
  encodeListedExport,
  encodeOption,
  encodeOptionReply,
} from './handshake.ts';
import { decodeInfo, decodeInfoRequest, encodeInfo, encodeInfoRequest } from './info.ts';
import {
  decodeMetaContext,
  decodeMetaContextRequest,
  encodeMetaContext,
  encodeMetaContextRequest,
} from './meta-context.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const fromHex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('frames of the handshake', () => {
  test('greeting and client flags', () => {
    expect(hex(encodeGreeting(3))).toBe(hex(Buffer.from('NBDMAGICIHAVEOPT\0\x03')));
    expect(decodeGreeting(encodeGreeting(3))).toBe(3);
    expect(hex(encodeClientFlags(3))).toBe('00000003');
    expect(decodeClientFlags(encodeClientFlags(3))).toBe(3);
  });

  test("an oldstyle server's greeting is refused", () => {
    const oldstyle = fromHex(`${hex(Buffer.from('NBDMAGIC'))} 0000420281861253 0003`);
    expect(() => decodeGreeting(oldstyle)).toThrow(/newstyle magic at byte 8/);
  });

  test('options and their replies', () => {
    const option = encodeOption(Option.list, fromHex('aabb'));
    expect(hex(option)).toBe(`${hex(Buffer.from('IHAVEOPT'))}0000000300000002aabb`);
    expect(decodeOptionHeader(option.subarray(0, 16))).toEqual({ option: 3, dataBytes: 2 });
    const reply = encodeOptionReply(Option.list, OptionReply.errPolicy, fromHex('6e6f'));
    expect(hex(reply)).toBe('0003e889045565a90000000380000002000000026e6f');
    expect(decodeOptionReplyHeader(reply.subarray(0, 20))).toEqual({
      option: 3,
      type: 0x80000002,
      dataBytes: 2,
    });
  });

  test('the answer to EXPORT_NAME, with and without zeroes', () => {
    const size = { sizeBytes: 2 ** 40, flags: 0x81 };
    expect(hex(encodeExportReply(size, { zeroes: false }))).toBe('00000100000000000081');
    const padded = encodeExportReply(size, { zeroes: true });
    expect(padded).toHaveLength(134);
    expect(padded.subarray(10).every((byte) => byte === 0)).toBe(true);
    expect(decodeExportReply(padded)).toEqual(size);
  });

  test('a listed export', () => {
    const listed = { name: 'dísk', description: 'text' };
    expect(hex(encodeListedExport(listed))).toBe(`0000000564c3ad736b${hex(Buffer.from('text'))}`);
    expect(decodeListedExport(encodeListedExport(listed))).toEqual(listed);
  });

  test('a request for information', () => {
    const request = { exportName: 'a', infos: [Info.blockSize, Info.name] };
    expect(hex(encodeInfoRequest(request))).toBe('0000000161000200030001');
    expect(decodeInfoRequest(encodeInfoRequest(request))).toEqual(request);
  });

  test.each([
    [{ info: Info.export, sizeBytes: 512, flags: 1 }, '000000000000000002000001'],
    [{ info: Info.name, name: 'a' }, '000161'],
    [{ info: Info.description, description: 'b' }, '000262'],
    [
      { info: Info.blockSize, minimumBytes: 512, preferredBytes: 4096, maxPayloadBytes: 2 ** 25 },
      '0003000002000000100002000000',
    ],
  ] as const)('information block %j', (block, golden) => {
    expect(hex(encodeInfo(block))).toBe(golden);
    expect(decodeInfo(fromHex(golden))).toEqual(block);
    if (block.info === Info.export || block.info === Info.blockSize) {
      expect(() => decodeInfo(fromHex(`${golden}00`))).toThrow(/end at byte/);
      expect(() => decodeInfo(fromHex(golden.slice(0, -2)))).toThrow();
    }
  });

  test('an unknown information block is no error', () => {
    expect(decodeInfo(fromHex('00ff 0102'))).toBeNull();
  });

  test('metadata contexts', () => {
    const request = { exportName: 'a', queries: ['base:', 'x:y'] };
    const golden = '00000001 61 00000002 00000005 626173653a 00000003 783a79';
    expect(hex(encodeMetaContextRequest(request))).toBe(golden.replaceAll(' ', ''));
    expect(decodeMetaContextRequest(fromHex(golden))).toEqual(request);
    expect(hex(encodeMetaContext({ id: 2, name: 'x:y' }))).toBe('00000002783a79');
    expect(decodeMetaContext(fromHex('00000002783a79'))).toEqual({ id: 2, name: 'x:y' });
  });
});

describe('frames that are refused', () => {
  const long = 'x'.repeat(4097);

  test.each([
    ['a name longer than the data', '00000005 61 0000', /export name at byte 4: expected 5 bytes/],
    ['a name without its length', '000000', /name length at byte 0: expected 4 bytes, got 3/],
    [
      'too few requests',
      '00000001 61 0002 0003',
      /information requests .* expected 4 bytes, got 2/,
    ],
    [
      'too many requests',
      '00000001 61 0000 0003',
      /information requests .* expected 0 bytes, got 2/,
    ],
    ['a name with NUL', '00000001 00 0000', /export name at byte 4: expected a string without NUL/],
    ['a name that is not UTF-8', '00000001 ff 0000', /export name at byte 4: expected UTF-8/],
  ])('information: %s', (_name, bytes, error) => {
    expect(() => decodeInfoRequest(fromHex(bytes))).toThrow(error);
  });

  test.each([
    ['a count that cannot be', '00000000 ffffffff', /number of queries .* expected at most 0/],
    ['a query longer than the data', '00000000 00000001 00000009 61', /query at byte 12/],
    ['bytes behind the queries', '00000000 00000000 00', /end at byte 8/],
  ])('metadata contexts: %s', (_name, bytes, error) => {
    expect(() => decodeMetaContextRequest(fromHex(bytes))).toThrow(error);
  });

  test('strings beyond 4096 bytes', () => {
    expect(() => encodeInfoRequest({ exportName: long, infos: [] })).toThrow('at most 4096 bytes');
    const bytes = Buffer.concat([fromHex('00001001'), Buffer.from(long), fromHex('0000')]);
    expect(() => decodeInfoRequest(bytes)).toThrow(/export name at byte 4: expected at most 4096/);
    expect(() => encodeMetaContext({ id: 1, name: 'a\0' })).toThrow('without NUL');
  });

  test('sizes beyond 2^53', () => {
    expect(() => decodeExportReply(new Uint8Array(10).fill(0xff))).toThrow(/below 2\^53/);
  });
});
