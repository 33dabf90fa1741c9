import { describe, expect, it } from 'vitest';
import { hashDigestBytes, hashNames, loadHash } from './hash.ts';

describe('loadHash', () => {
  // "abc" as the standards have it: FIPS 180-4, FIPS 202, RFC 7693, ISO/IEC 10118-3, GB/T 32905.
  it.each([
    ['sha1', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
    ['SHA256', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ['sha512-256', '53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23'],
    ['sha3-256', '3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532'],
    ['ripemd160', '8eb208f7e05d987a9b044a8e98c6b087f15a0bfc'],
    [
      'whirlpool',
      '4e2448a4c6f486bb16b6562c73b4020bf3043e3a731bce721ae1b303d97e6d4c7181eebdb6c57e277d0e34957114cbd6c797fc9d95d8b582d225292076d4eef5',
    ],
    ['sm3', '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0'],
    ['blake2s-256', '508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982'],
  ])('%s', async (name, expected) => {
    const hash = await loadHash(name);
    const digest = new Uint8Array(hash.digestBytes);
    hash.digestInto(digest, Uint8Array.of(0x61), Uint8Array.of(0x62, 0x63));
    expect(Buffer.from(digest).toString('hex')).toBe(expected);
  });

  it.each(hashNames.map((name) => [name]))('%s has the length it says', async (name) => {
    const hash = await loadHash(name);
    expect(hash.digestBytes).toBe(hashDigestBytes(name));
    const guarded = new Uint8Array(hash.digestBytes + 1).fill(0xa5);
    hash.digestInto(guarded, Uint8Array.of(1));
    expect(guarded[hash.digestBytes]).toBe(0xa5);
    const short = new Uint8Array(5);
    hash.digestInto(short, Uint8Array.of(1));
    expect(short).toEqual(guarded.subarray(0, 5));
  });

  it('refuses what it does not know, naming what it does', async () => {
    expect(hashDigestBytes('stribog512')).toBeNull();
    await expect(loadHash('stribog512')).rejects.toThrow(/"stribog512" is not supported.*sha256/);
  });
});
