/** `cipher_null`: as the kernel takes and refuses it. */

import { expect, it } from 'vitest';
import { parseCipherSpec } from '../cipher-spec.ts';
import { createSectorCipher } from '../create-sector-cipher.ts';

const create = (text: string, keyBytes: number) =>
  createSectorCipher({
    spec: parseCipherSpec(text),
    key: new Uint8Array(keyBytes),
    sectorBytes: 512,
    ivLargeSectors: false,
    ivOffset: 0n,
  });

it.each(['cipher_null-ecb', 'cipher_null-ecb-plain64', 'capi:ecb(cipher_null)-plain'])(
  '%s copies',
  (text) => {
    using cipher = create(text, 0);
    const source = Uint8Array.from({ length: 1536 }, (_, index) => index & 0xff);
    const target = new Uint8Array(2048);
    cipher.encrypt(source, 512, target, 1024, 1024, 3);
    expect(target.subarray(1024)).toEqual(source.subarray(512));
    expect(target.subarray(0, 1024)).toEqual(new Uint8Array(1024));
    cipher.decrypt(target, 1024, target, 1024, 1024, 3);
    expect(target.subarray(1024)).toEqual(source.subarray(512));
  },
);

it('takes no key and no other mode', () => {
  expect(() => create('cipher_null-ecb', 16)).toThrow(/Error decoding and setting key/);
  for (const text of ['cipher_null-xts-plain64', 'cipher_null-ctr-plain64', 'cipher_null']) {
    expect(() => create(text, 0)).toThrow(/Error allocating crypto tfm.*is for ecb/);
  }
});
