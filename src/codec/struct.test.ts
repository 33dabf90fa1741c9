import { describe, expect, test } from 'vitest';
import { DmError, FormatError } from '../base/errors.ts';
import type { Prng } from '../base/prng.ts';
import { withSeed } from '../testing/seed.ts';
import {
  ascii,
  bigU64be,
  bigU64le,
  bytes,
  constant,
  u8,
  u16be,
  u16le,
  u32be,
  u32le,
  u64be,
  u64le,
  utf8,
} from './field.ts';
import { array, struct } from './struct.ts';

const magic = new Uint8Array([0x4c, 0x55, 0x4b, 0x53]);
const slot = struct('slot', 6, { active: u16be, offset: u32le });
const sample = struct('sample header', 76, {
  magic: constant(bytes(4), magic),
  version: constant(u16be, 2),
  small: u8,
  a: u16le,
  b: u32be,
  c: u64le,
  d: u64be,
  e: bigU64le,
  f: bigU64be,
  name: ascii(8),
  label: utf8(8),
  slots: array(2, slot),
  reserved: bytes(3),
});

function randomValue(prng: Prng) {
  const number = (bits: number) => prng.pick([0, 1, 2 ** bits - 1, prng.integer(0, 2 ** bits - 1)]);
  const size = () => prng.pick([0, Number.MAX_SAFE_INTEGER, prng.integer(0, 2 ** 52)]);
  const big = () => (BigInt(number(32)) << 32n) | BigInt(number(32));
  const text = (characters: readonly string[], count: number) =>
    Array.from({ length: prng.integer(0, count) }, () => prng.pick(characters)).join('');
  const slots = () => ({ active: number(16), offset: number(32) });
  return {
    ...{ small: number(8), a: number(16), b: number(32) },
    ...{ c: size(), d: size(), e: big(), f: big() },
    name: text([' ', '~', 'a', '0'], 7),
    label: prng.pick([
      text(['ü', 'x'], 3),
      text(['\u{1f512}', 'é'], 1),
      text(['\ufeff', '\x01'], 2),
    ]),
    slots: [slots(), slots()],
    reserved: prng.fill(new Uint8Array(3)),
  };
}

const good = {
  ...{ small: 1, a: 0x0203, b: 0x04050607, c: 8, d: 9, e: 10n, f: 2n ** 64n - 1n },
  ...{ name: 'abc', label: 'ü', reserved: new Uint8Array([7, 8, 9]) },
  slots: [
    { active: 1, offset: 2 },
    { active: 3, offset: 4 },
  ],
};

/** The encoded sample with some bytes changed. */
function encoded(changes: Record<number, number> = {}): Uint8Array {
  const raw = sample.encode(good);
  for (const [at, byte] of Object.entries(changes)) raw[Number(at)] = byte;
  return raw;
}

describe('struct', () => {
  test('decodes what it encoded, and encodes what it decoded', async () => {
    await withSeed((prng) => {
      for (let round = 0; round < 50; round += 1) {
        const value = randomValue(prng);
        const raw = sample.encode(value);
        expect(sample.decode(raw)).toEqual(value);
        expect(sample.encode(sample.decode(raw))).toEqual(raw);
      }
      return Promise.resolve();
    });
  });

  test('lies in the bytes as declared', () => {
    expect(Buffer.from(encoded()).toString('hex')).toBe(
      '4c554b53' +
        '0002' +
        '01' +
        '0302' +
        '04050607' +
        '0800000000000000' +
        '0000000000000009' +
        '0a00000000000000' +
        'ffffffffffffffff' +
        '6162630000000000' +
        'c3bc000000000000' +
        '000102000000' +
        '000304000000' +
        '070809',
    );
  });

  test('reads at a position, in bytes that are part of others', () => {
    const wide = new Uint8Array(100);
    wide.set(encoded(), 11);
    expect(sample.decode(wide.subarray(1), 10)).toEqual(good);
  });

  test('keeps bytes of its own, also of a Buffer', () => {
    const source = Buffer.from(encoded());
    const { reserved } = sample.decode(source);
    source.fill(0);
    expect(reserved).toEqual(good.reserved);
  });

  test('says where its fields are', () => {
    expect(sample.offsets.magic).toBe(0);
    expect(sample.offsets.label).toBe(53);
    expect(sample.offsets.reserved).toBe(73);
  });

  test('does not load when sizes do not add up', () => {
    expect(() => struct('wrong', 5, { a: u32le })).toThrow('have 5 bytes together, not 4');
  });

  const bad: [string, Uint8Array, string][] = [
    ['a foreign magic', encoded({ 1: 0 }), 'magic at byte 0: expected 0x4c554b53, got 0x4c004b53'],
    ['another version', encoded({ 5: 3 }), 'version at byte 4: expected 2, got 3'],
    [
      'a size beyond exact numbers',
      encoded({ 20: 0xff }),
      'c at byte 13: expected at most 2^53 - 1',
    ],
    [
      'bytes that are no ASCII',
      encoded({ 46: 0x80 }),
      'name at byte 45: expected printable ASCII, got 0x618063',
    ],
    [
      'text without an end',
      encoded(Object.fromEntries([48, 49, 50, 51, 52].map((at) => [at, 0x41]))),
      'name at byte 45: expected text ended by a NUL',
    ],
    ['bytes that are no UTF-8', encoded({ 54: 0x41 }), 'label at byte 53: expected UTF-8'],
    ['a short end', encoded().subarray(0, 75), 'length at byte 0: expected 76 bytes, got 75'],
  ];
  test.each(bad)('refuses %s', (_name, raw, message) => {
    expect(() => sample.decode(raw)).toThrow(FormatError);
    expect(() => sample.decode(raw)).toThrow(`Cannot read sample header: ${message}`);
  });

  test('names the element of an array and its byte', () => {
    const list = struct('list', 12, {
      entries: array(2, struct('entry', 6, { magic: constant(u16be, 1), rest: u32be })),
    });
    const raw = list.encode({ entries: [{ rest: 0 }, { rest: 1 }] });
    raw[7] = 2;
    expect(() => list.decode(raw)).toThrow(
      'Cannot read list: entries[1].magic at byte 6: expected 1, got 2',
    );
  });

  const unfit: [string, Partial<typeof good>, string][] = [
    ['a number that would wrap', { a: 0x10000 }, 'a: expected a whole number from 0 to 65535'],
    ['a broken number', { b: 1.5 }, 'b: expected a whole number'],
    ['a negative size', { c: -1 }, 'c: expected a whole number'],
    ['a count that is too long', { e: 2n ** 64n }, 'e: expected a whole number below 2^64'],
    ['text that is too long', { name: '12345678' }, 'name: expected at most 7 bytes, got 8'],
    ['text of another kind', { name: 'ü' }, 'name: expected printable ASCII'],
    ['text with a NUL', { label: 'a\0b' }, 'label: expected UTF-8'],
    ['half a character', { label: '\ud800' }, 'label: expected UTF-8'],
    ['too few bytes', { reserved: new Uint8Array(2) }, 'reserved: expected 3 bytes, got 2'],
    ['too few elements', { slots: [] }, 'slots: expected 2 of them, got 0'],
  ];
  test.each(unfit)('does not write %s', (_name, change, message) => {
    expect(() => sample.encode({ ...good, ...change })).toThrow(DmError);
    expect(() => sample.encode({ ...good, ...change })).toThrow(message);
  });
});
