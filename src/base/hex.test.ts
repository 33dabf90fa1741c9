import { expect, it } from 'vitest';
import { hexOf, readHex, writeHex } from './hex.ts';

const BYTES = Uint8Array.of(0, 9, 10, 159, 240, 255);

it('writes what it reads', () => {
  const digits = new Uint8Array(14).fill(0x2e);
  writeHex(digits, 1, BYTES);
  expect(Buffer.from(digits).toString()).toBe(`.${hexOf(BYTES)}.`);
  expect(hexOf(BYTES)).toBe('00090a9ff0ff');
  const back = new Uint8Array(6);
  expect(readHex(digits.subarray(1), back)).toBe(true);
  expect(back).toEqual(BYTES);
});

it('reads capital letters too', () => {
  const back = new Uint8Array(2);
  expect(readHex(Buffer.from('AbCF'), back)).toBe(true);
  expect(hexOf(back)).toBe('abcf');
});

it.each(['0g', 'g0', '00 1', '001', '@0', '0:'])('leaves zeroes for "%s"', (text) => {
  const back = new Uint8Array(Math.ceil(text.length / 2)).fill(7);
  expect(readHex(Buffer.from(text), back)).toBe(false);
  expect(back.every((byte) => byte === 0)).toBe(true);
});
