/** lmk, tcw and elephant: what Linux 6.12's dm-crypt wrote (test/kernel asks it again). */

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hasLegacyCiphers } from '../../testing/legacy-ciphers.ts';
import { parseCipherSpec } from '../cipher-spec.ts';
import { createSectorCipher } from '../create-sector-cipher.ts';

const PLAIN_BYTES = 8192;

const stretched = (text: string, outputLength: number) =>
  createHash('shake256', { outputLength }).update(text).digest();

/** Cipher, key bytes, sector bytes, IV offset, the beginning of the ciphertext's SHA-256. */
const ANSWERS: readonly [string, number, number, bigint, string][] = [
  ['aes:64-cbc-lmk', 1024, 512, 0n, '416f1bad46fa875803498b3e9fad71be'],
  ['aes:64-cbc-lmk', 1040, 512, 5n, 'e96c1d0d1477beddc0eea722d5a7b43f'],
  ['aes:64-cbc-lmk', 1043, 512, 0n, '2ceb925670931d57d64d028735c105ce'],
  ['aes:64-cbc-lmk', 2080, 512, 5n, 'b82bfad4ec105acd961602dc63f59663'],
  ['aes:64-cbc-lmk', 1040, 512, 1152921504606846974n, '3f1f73b695bc2c763f0ea83355cce9a3'],
  ['aes-cbc-lmk', 32, 512, 4294967290n, '37e64399ad4921d9a0921c054feb7fa0'],
  ['des3_ede-cbc-lmk', 24, 512, 0n, '1c3244c2c0ef68d4278942fa618c7cd0'],
  ['serpent:64-cbc-lmk', 2080, 512, 0n, 'd0df42597d0742ba7c764013bbf7a6c0'],
  ['aes-cbc-tcw', 48, 512, 7n, 'e4ac726345b1242f23148af48c9b4a0e'],
  ['aes-cbc-tcw', 64, 512, 4294967290n, '78e16e2e207ba3eedcee0a1fb2577206'],
  ['aes-cbc-tcw', 64, 512, 1152921504606846974n, '8cccdf60c49e42350e3880f4ee8f167d'],
  ['blowfish-cbc-tcw', 40, 512, 0n, '4ce3682b25bb7f9d0d73d06da1f59a03'],
  ['serpent-cbc-tcw', 64, 512, 0n, 'd445a74edd40e3bd04727f8b0d2fb58f'],
  ['aes:2-cbc-tcw', 96, 512, 0n, '21e3685a696ce587a7ebedd139b5fce4'],
  ['aes-ctr-tcw', 64, 512, 0n, '0bf2b529a03e8999c31a9d15eb573430'],
  ['aes-xts-tcw', 96, 512, 0n, '3d0bedce9771f48bfbf4f29764c2c7e7'],
  ['aes-cbc-elephant', 32, 512, 0n, 'd40ebb83b8b508f0e399ed80dd5c46a6'],
  ['aes-cbc-elephant', 48, 512, 0n, '5df27469a3707fbfe932e8d334e1ca30'],
  ['aes-cbc-elephant', 64, 512, 4294967290n, '0a6422dffe72355d00617331d4ae10b2'],
];

function make(spec: string, keyBytes: number, sectorBytes: number, ivOffset = 0n) {
  return createSectorCipher({
    spec: parseCipherSpec(spec),
    key: stretched(`key${keyBytes}`, keyBytes),
    sectorBytes,
    ivLargeSectors: false,
    ivOffset,
  });
}

describe('IVs that change the data', () => {
  it.each(ANSWERS)('%s, key of %i bytes, sectors of %i, from %i', (...answer) => {
    const [spec, keyBytes, sectorBytes, ivOffset, expected] = answer;
    if (spec.startsWith('blowfish') && !hasLegacyCiphers) {
      const wanted = /legacy provider has it: install the package koffi/;
      expect(() => make(spec, keyBytes, sectorBytes, ivOffset)).toThrow(wanted);
      return;
    }
    using cipher = make(spec, keyBytes, sectorBytes, ivOffset);
    const plain = stretched('p', PLAIN_BYTES);
    const data = new Uint8Array(PLAIN_BYTES);
    cipher.encrypt(plain, 0, data, 0, PLAIN_BYTES, 0);
    const digest = createHash('sha256').update(data).digest('hex');
    expect(digest.slice(0, 32)).toBe(expected);
    // Backwards and by halves: nothing depends on what was done before.
    const half = PLAIN_BYTES / 2;
    cipher.decrypt(data, half, data, half, half, half / 512);
    cipher.decrypt(data, 0, data, 0, half, 0);
    expect(Buffer.from(data).equals(plain)).toBe(true);
  });

  it.each<[string, number, number, RegExp]>([
    [
      'aes:64-cbc-lmk',
      1024,
      4096,
      /Error creating IV, Unsupported sector size for LMK, expected 512, got 4096/,
    ],
    ['aes:2-cbc-lmk', 50, 512, /Error decoding and setting key/],
    ['aes-cbc-tcw', 64, 1024, /Error creating IV, Unsupported sector size for TCW/],
    ['aes-cbc-tcw', 32, 512, /Error decoding and setting key, Wrong key size for TCW/],
    ['aes-cbc-elephant', 66, 512, /Error decoding and setting key/],
    ['aes-cbc-elephant', 20, 512, /Error decoding and setting key/],
  ])(
    '%s with a key of %i bytes and sectors of %i is refused',
    (spec, keyBytes, sectorBytes, message) => {
      expect(() => make(spec, keyBytes, sectorBytes)).toThrow(message);
    },
  );
});
