import { describe, expect, it } from 'vitest';
import { cipherEngine } from '../cipher-engine.ts';
import { twofish } from './twofish.ts';

const engine = cipherEngine();

function encryptBlock(key: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const { bytes } = engine.memory.scratch;
  const at = engine.memory.dataAt;
  const cipher = twofish.create(key, engine);
  bytes.set(plaintext, at);
  cipher.encrypt(at, 16);
  const ciphertext = bytes.slice(at, at + 16);
  cipher.decrypt(at, 16);
  expect(bytes.slice(at, at + 16)).toEqual(plaintext);
  cipher.close();
  return ciphertext;
}

describe('twofish', () => {
  // The submission's ecb_tbl.txt: each key and plaintext is made of the results before; these are those of I=49.
  it.each([
    [16, '5d9d4eeffa9151575524f115815a12e0'],
    [24, 'e75449212beef9f4a390bd860a640941'],
    [32, '37fe26ff1cf66175f5ddf4c33b97a205'],
  ])('goes through the tables of the submission, keys of %i bytes', (keyBytes, expected) => {
    let key = new Uint8Array(keyBytes);
    let plaintext = new Uint8Array(16);
    let ciphertext = new Uint8Array(16);
    for (let round = 1; round <= 49; round++) {
      ciphertext = Uint8Array.from(encryptBlock(key, plaintext));
      key = Uint8Array.from([...plaintext, ...key]).slice(0, keyBytes);
      plaintext = ciphertext;
    }
    expect(Buffer.from(ciphertext).toString('hex')).toBe(expected);
  });

  it('leaves no key behind', () => {
    const key = Uint8Array.from({ length: 32 }, (_, index) => 0xc0 + index);
    const cipher = twofish.create(key, engine);
    const found = () => Buffer.from(engine.memory.bytes).includes(Buffer.from(key.subarray(0, 8)));
    expect(found()).toBe(false);
    cipher.close();
    cipher.close();
    expect(() => cipher.encrypt(engine.memory.dataAt, 16)).toThrow(/after it was closed/);
  });
});
