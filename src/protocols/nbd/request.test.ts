import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../base/errors.ts';
import { Command, CommandFlag } from './constants.ts';
import {
  createRequest,
  decodeBlockStatusPayload,
  decodeExtendedRequest,
  decodeRequest,
  encodeBlockStatusPayload,
  encodeExtendedRequest,
  encodeRequest,
  payloadBytes,
} from './request.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const fromHex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

const fields = {
  flags: CommandFlag.fua,
  command: Command.write,
  cookieHigh: 0x01020304,
  cookieLow: 0xf5060708,
  offsetBytes: 0x1_0000_0200,
  lengthBytes: 0x8000_0000,
};

describe('a compact request', () => {
  const golden = '25609513 0001 0001 01020304f5060708 0000000100000200 80000000';

  test('encodes to the bytes of the specification', () => {
    const bytes = new Uint8Array(30);
    encodeRequest(bytes, 2, fields);
    expect(hex(bytes)).toBe(`0000${golden.replaceAll(' ', '')}`);
  });

  test('decodes from any offset into the object it is given', () => {
    const request = createRequest();
    decodeRequest(Buffer.concat([Buffer.alloc(3), fromHex(golden)]), 3, request);
    expect(request).toEqual({ ...fields, offsetHigh: 1, offsetLow: 0x200 });
  });

  test('refuses another magic number and says where', () => {
    const bytes = fromHex(golden);
    bytes[3] = 0x14;
    expect(() => decodeRequest(bytes, 0, createRequest())).toThrow(
      'Cannot read NBD request: magic at byte 0: expected 0x25609513, got 0x25609514',
    );
  });
});

describe('an extended request', () => {
  const golden = '21e41c71 0001 0001 01020304f5060708 0000000100000200 0000000080000000';

  test('encodes and decodes the bytes of the specification', () => {
    const bytes = new Uint8Array(32);
    encodeExtendedRequest(bytes, 0, fields);
    expect(hex(bytes)).toBe(golden.replaceAll(' ', ''));
    const request = createRequest();
    decodeExtendedRequest(bytes, 0, request);
    expect(request).toEqual({ ...fields, offsetHigh: 1, offsetLow: 0x200 });
  });

  test('a compact one is refused', () => {
    const bytes = new Uint8Array(32);
    encodeRequest(bytes, 0, fields);
    expect(() => decodeExtendedRequest(bytes, 0, createRequest())).toThrow(FormatError);
  });
});

test('numbers beyond 2^53 - 1 read as Infinity, and the offset can still be repeated', () => {
  const bytes = new Uint8Array(32);
  encodeExtendedRequest(bytes, 0, { ...fields, offsetBytes: Number.MAX_SAFE_INTEGER });
  const request = createRequest();
  decodeExtendedRequest(bytes, 0, request);
  expect(request.offsetBytes).toBe(Number.MAX_SAFE_INTEGER);
  bytes.fill(0xff, 16, 32);
  decodeExtendedRequest(bytes, 0, request);
  expect(request).toMatchObject({
    offsetBytes: Number.POSITIVE_INFINITY,
    offsetHigh: 0xffff_ffff,
    offsetLow: 0xffff_ffff,
    lengthBytes: Number.POSITIVE_INFINITY,
  });
});

test('an encoder refuses what 64 bits of ours cannot hold exactly', () => {
  const bytes = new Uint8Array(32);
  for (const offsetBytes of [2 ** 53, -1, 0.5, Number.NaN]) {
    expect(() => encodeRequest(bytes, 0, { ...fields, offsetBytes })).toThrow('64-bit field');
  }
});

test.each([
  ['compact write', Command.write, 0, false, 4096],
  ['compact read', Command.read, 0, false, 0],
  ['compact read with a flag that means nothing there', Command.read, 32, false, 0],
  ['extended write', Command.write, CommandFlag.payloadLength, true, 4096],
  ['extended write without its flag', Command.write, 0, true, 0],
  ['extended block status', Command.blockStatus, CommandFlag.payloadLength, true, 4096],
  ['extended read with payload', Command.read, CommandFlag.payloadLength, true, 4096],
] as const)('%s: how much follows', (_name, command, flags, extended, expected) => {
  const request = { ...createRequest(), command, flags, lengthBytes: 4096 };
  expect(payloadBytes(request, extended)).toBe(expected);
});

describe('a block status payload', () => {
  test('goes both ways', () => {
    const bytes = encodeBlockStatusPayload({ lengthBytes: 2 ** 40, contextIds: [1, 0xffff_ffff] });
    expect(hex(bytes)).toBe('000001000000000000000001ffffffff');
    expect(decodeBlockStatusPayload(bytes)).toEqual({
      lengthBytes: 2 ** 40,
      contextIds: [1, 0xffff_ffff],
    });
  });

  test.each([0, 4, 7, 9, 11])('of %d bytes is refused', (lengthBytes) => {
    expect(() => decodeBlockStatusPayload(new Uint8Array(lengthBytes))).toThrow(
      /length at byte 0: expected 8 bytes and 4 per context/,
    );
  });

  test('with a length beyond 2^53 is refused', () => {
    expect(() => decodeBlockStatusPayload(new Uint8Array(12).fill(0xff))).toThrow(
      /effect length at byte 0: expected a number below 2\^53/,
    );
  });
});
