import { describe, expect, it } from 'vitest';
import { createPrng } from '../../base/prng.ts';
import { cipherEngine } from '../cipher-engine.ts';
import { serpent } from './serpent.ts';

/** The cipher as the submission describes it, with tables and one block. */
const BOXES = [
  '38f1a65bed42709c',
  'fc27905a1be86d34',
  '86793cafd1e40b52',
  '0fb8c963d124a75e',
  '1f83c0b6254a9e7d',
  'f52b4a9c03e8d671',
  '72c5846be91fd3a0',
  '1df0e82b74ca9356',
].map((box) => [...box].map((digit) => Number(`0x${digit}`)));

type Words = [number, number, number, number];

const rotate = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits));

function substitute(words: Words, box: number): Words {
  const result: Words = [0, 0, 0, 0];
  for (let bit = 0; bit < 32; bit++) {
    const nibble = words.reduce((sum, word, index) => sum | (((word >>> bit) & 1) << index), 0);
    const value = BOXES[box]![nibble]!;
    for (let index = 0; index < 4; index++) result[index]! |= ((value >> index) & 1) << bit;
  }
  return result;
}

function transform([a, b, c, d]: Words): Words {
  const a1 = rotate(a, 13);
  const c1 = rotate(c, 3);
  const b1 = rotate(b ^ a1 ^ c1, 1);
  const d1 = rotate(d ^ c1 ^ (a1 << 3), 7);
  return [rotate(a1 ^ b1 ^ d1, 5), b1, rotate(c1 ^ d1 ^ (b1 << 7), 22), d1];
}

const readWords = (bytes: Uint8Array): number[] => [
  ...new Int32Array(Uint8Array.from(bytes).buffer),
];
const mix = (left: Words, right: Words) => left.map((word, index) => word ^ right[index]!) as Words;

function subkeys(key: Uint8Array): Words[] {
  const padded = new Uint8Array(32);
  padded.set(key);
  if (key.byteLength < 32) padded[key.byteLength] = 1;
  const words = readWords(padded);
  for (let index = 0; index < 132; index++) {
    const sum = words[index]! ^ words[index + 3]! ^ words[index + 5]! ^ words[index + 7]!;
    words.push(rotate(sum ^ 0x9e3779b9 ^ index, 11));
  }
  return Array.from({ length: 33 }, (_, index) => {
    const group = words.slice(8 + 4 * index, 12 + 4 * index) as Words;
    return substitute(group, (35 - index) % 8);
  });
}

function referenceEncrypt(key: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const keys = subkeys(key);
  let state = readWords(plaintext) as Words;
  for (let round = 0; round < 32; round++) {
    state = substitute(mix(state, keys[round]!), round % 8);
    if (round < 31) state = transform(state);
  }
  return new Uint8Array(Int32Array.from(mix(state, keys[32]!)).buffer);
}

describe('serpent', () => {
  const engine = cipherEngine();
  const at = engine.memory.dataAt;

  it.each([1, 5, 15, 16, 17, 24, 31, 32])('is the submission’s, keys of %i bytes', (keyBytes) => {
    const prng = createPrng(keyBytes);
    const key = prng.fill(new Uint8Array(keyBytes));
    const cipher = serpent.create(key, engine);
    const { bytes } = engine.memory.scratch;
    for (const blockCount of [1, 2, 3, 4, 7]) {
      const plaintext = prng.fill(new Uint8Array(16 * blockCount));
      bytes.set(plaintext, at);
      cipher.encrypt(at, plaintext.byteLength);
      for (let block = 0; block < blockCount; block++) {
        const expected = referenceEncrypt(key, plaintext.subarray(16 * block, 16 * block + 16));
        expect(bytes.slice(at + 16 * block, at + 16 * block + 16)).toEqual(expected);
      }
      cipher.decrypt(at, plaintext.byteLength);
      expect(bytes.slice(at, at + plaintext.byteLength)).toEqual(plaintext);
    }
    cipher.close();
  });

  it('leaves no key behind', () => {
    const key = Uint8Array.from({ length: 32 }, (_, index) => 0xd0 + index);
    const cipher = serpent.create(key, engine);
    const found = () => Buffer.from(engine.memory.bytes).includes(Buffer.from(key.subarray(0, 8)));
    expect(found()).toBe(false);
    cipher.close();
    expect(() => cipher.encrypt(at, 16)).toThrow(/after it was closed/);
  });
});
