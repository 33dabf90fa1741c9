import { describe, expect, it } from 'vitest';
import { createPrng } from '../base/prng.ts';
import { AF_MAX_STRIPES, mergeKey, splitKey } from './af-splitter.ts';
import { loadHash } from './hash.ts';
import { Secret } from './secret.ts';

/** Bytes that anyone can make again: 0, 7, 14 ... modulo 251. */
const material = (lengthBytes: number) =>
  Uint8Array.from({ length: lengthBytes }, (_, index) => (index * 7) % 251);
const randomFiller = (seed: number) => {
  const prng = createPrng(seed);
  return (bytes: Uint8Array) => prng.fill(bytes);
};

describe('mergeKey', () => {
  // From this code, after it had merged the key slots of volumes that cryptsetup 2.6.1 made with each of these hashes.
  it.each([
    ['sha1', 32, 4000, 'd9fd5405740bd3ae20abf89ac3f81d927ad2c4cdbc4df4a6d8c9cb09b50ae512'],
    [
      'sha256',
      64,
      4000,
      '3cf9d9bed7bfac0744f174f8114304ab8ef2388085ec2246d0e7a8c0fca4af8c6c706472a5c418a782f959073785b4616746ddbbe603f88793e1288ea7ba9f86',
    ],
    [
      'sha512',
      64,
      100,
      '7d629b4d8e8229e73604975096847c50dc78d820be36d949b5aad657e9f8436927db142ee13758332574f91a4c066120671ed67e1ae9f0b9add030a62eda879b',
    ],
    ['whirlpool', 16, 3, '29fe203524d79496b3c35a41b8af41b9'],
    [
      'sha256',
      40,
      2,
      'e550b72bb1f342b4a9159cc6e4d46b27843fad1f64717a302e25dea99392aa558da9ec53834bba83',
    ],
  ])('%s, key of %i bytes, %i stripes', async (name, keyBytes, stripes, expected) => {
    const hash = await loadHash(name);
    using key = mergeKey(material(keyBytes * stripes), { hash, stripes });
    expect(Buffer.from(key.bytes).toString('hex')).toBe(expected);
  });

  it('of one stripe gives that', async () => {
    const hash = await loadHash('sha256');
    using key = mergeKey(material(32), { hash, stripes: 1 });
    expect(key.bytes).toEqual(material(32));
  });
});

describe('splitKey', () => {
  it.each([
    ['sha1', 64, 4000],
    ['sha256', 1, 2],
    ['sha256', 33, 7],
    ['ripemd160', 32, 50],
    ['blake2b-256', 64, 50],
    ['sha512', 32, 1],
  ])('is undone by mergeKey: %s, %i bytes, %i stripes', async (name, keyBytes, stripes) => {
    const hash = await loadHash(name);
    using key = Secret.from(material(keyBytes).map((byte) => byte ^ 0x5a));
    using split = splitKey(key, { hash, stripes }, randomFiller(keyBytes));
    expect(split.lengthBytes).toBe(keyBytes * stripes);
    using merged = mergeKey(split.bytes, { hash, stripes });
    expect(merged.bytes).toEqual(key.bytes);
  });

  it('needs every bit of the material', async () => {
    const hash = await loadHash('sha256');
    using key = Secret.from(material(32));
    const stripes = 20;
    using split = splitKey(key, { hash, stripes }, randomFiller(1));
    for (let at = 0; at < split.lengthBytes; at += 13) {
      split.bytes[at]! ^= 1 << (at % 8);
      using merged = mergeKey(split.bytes, { hash, stripes });
      expect(merged.bytes, `byte ${at} changed`).not.toEqual(key.bytes);
      split.bytes[at]! ^= 1 << (at % 8);
    }
  });
});

describe('what is refused', () => {
  it.each([
    [32, 0, /stripes must be an integer from 1 to 4000, got 0/],
    [32, AF_MAX_STRIPES + 1, /got 4001/],
    [32, 1.5, /got 1.5/],
    [0, 1, /must have 1 to 4096 bytes/],
    [4097, 1, /got 4097/],
    [10, 3, /for each of 3 stripes, got 3.33/],
  ])('%i bytes of material, %d stripes', async (lengthBytes, stripes, message) => {
    const hash = await loadHash('sha256');
    expect(() => mergeKey(new Uint8Array(lengthBytes), { hash, stripes })).toThrow(message);
  });
});
