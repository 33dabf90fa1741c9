/** LUKS1 headers with one thing wrong; the base has slots 0 and 3 in use, 16 bytes of key, and data from sector 2048 on. */

import type { EvilCase, Verdict } from './evil-case.ts';

const At = { version: 6, cipher: 8, mode: 40, hash: 72, payload: 104, keyBytes: 108, uuid: 168 };
const slot = (index: number, field: 'state' | 'iterations' | 'material' | 'stripes') =>
  208 + index * 48 + { state: 0, iterations: 4, material: 40, stripes: 44 }[field];

const u32 = (name: string, takenBy: Verdict, at: number, value: number): EvilCase => ({
  name,
  takenBy,
  change: (image) => new DataView(image.buffer).setUint32(at, value),
});

const fill = (
  name: string,
  takenBy: Verdict,
  at: number,
  count: number,
  byte: number,
): EvilCase => ({
  name,
  takenBy,
  change: (image) => image.fill(byte, at, at + count),
});

const MAX = 2 ** 32 - 1;

export const luks1Cases: readonly EvilCase[] = [
  { name: 'nothing wrong', takenBy: 'both', change: () => {} },
  fill('magic', 'nobody', 0, 1, 0),
  fill('version 0', 'nobody', At.version, 2, 0),
  fill('version 257', 'nobody', At.version, 2, 1),
  fill('no cipher', 'cryptsetup', At.cipher, 1, 0),
  fill('cipher without an end', 'cryptsetup', At.cipher, 32, 0x61),
  fill('cipher with control characters', 'cryptsetup', At.cipher, 1, 7),
  fill('cipher nobody knows', 'both', At.cipher, 1, 0x7a),
  fill('mode without an end', 'cryptsetup', At.mode, 32, 0x61),
  fill('no mode', 'both', At.mode, 1, 0),
  fill('no hash', 'nobody', At.hash, 1, 0),
  fill('hash nobody knows', 'nobody', At.hash, 1, 0x7a),
  fill('hash without an end', 'nobody', At.hash, 32, 0x61),
  {
    name: 'hash that is too short',
    takenBy: 'nobody',
    change: (image) => image.set(new TextEncoder().encode('md5\0'), At.hash),
  },
  u32('data in the header', 'nobody', At.payload, 1),
  u32('data among the slots', 'nobody', At.payload, 200),
  u32('data right behind the slots', 'both', At.payload, 1029),
  u32('data a sector too early', 'nobody', At.payload, 1028),
  u32('data at 0', 'both', At.payload, 0),
  u32('data behind the end', 'both', At.payload, MAX),
  u32('key of 0 bytes', 'nobody', At.keyBytes, 0),
  u32('key of 17 bytes', 'nobody', At.keyBytes, 17),
  u32('key of 2^31 bytes', 'nobody', At.keyBytes, 2 ** 31),
  u32('key of 2^32 - 1 bytes', 'nobody', At.keyBytes, MAX),
  u32('0 iterations of the digest', 'both', 164, 0),
  u32('2^32 - 1 iterations of the digest', 'both', 164, MAX),
  fill('UUID without an end', 'cryptsetup', At.uuid, 40, 0x61),
  fill('UUID that is none', 'both', At.uuid, 36, 0x61),
  u32('slot of an unknown state', 'both', slot(1, 'state'), 7),
  u32('active slot with 0 iterations', 'both', slot(0, 'iterations'), 0),
  u32('active slot with 2^32 - 1 iterations', 'both', slot(0, 'iterations'), MAX),
  u32('0 stripes', 'nobody', slot(0, 'stripes'), 0),
  u32('3999 stripes', 'nobody', slot(5, 'stripes'), 3999),
  u32('2^32 - 1 stripes', 'nobody', slot(7, 'stripes'), MAX),
  u32('key material at 0', 'nobody', slot(0, 'material'), 0),
  u32('key material in the second sector', 'nobody', slot(0, 'material'), 1),
  u32('key material behind the header', 'both', slot(0, 'material'), 2),
  u32('key material of two slots at one place', 'nobody', slot(4, 'material'), 392),
  u32('key material that overlaps by a sector', 'nobody', slot(4, 'material'), 392 + 124),
  u32('key material one sector into the data', 'nobody', slot(7, 'material'), 2048 - 124),
  u32('key material up to the data', 'both', slot(7, 'material'), 2048 - 125),
  u32('key material behind the end of the disk', 'nobody', slot(7, 'material'), 1_000_000),
  u32('key material that wraps', 'nobody', slot(7, 'material'), MAX),
];
