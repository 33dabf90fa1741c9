import { describe, expect, it } from 'vitest';
import { type CipherSpec, parseCipherSpec } from './cipher-spec.ts';
import { createSectorCipher } from './create-sector-cipher.ts';

const plainDefaults = { keyCount: 1, ivOptions: null, essivHashes: [] };

/** As a Linux 6.12 took them, with the same data. */
const accepted: [text: string, spec: Omit<CipherSpec, 'text'>][] = [
  ['aes-xts-plain64', { ...plainDefaults, cipher: 'aes', mode: 'xts', ivMode: 'plain64' }],
  ['aes', { ...plainDefaults, cipher: 'aes', mode: 'cbc', ivMode: 'plain' }],
  ['aes-plain', { ...plainDefaults, cipher: 'aes', mode: 'cbc', ivMode: 'plain' }],
  ['aes:2', { ...plainDefaults, cipher: 'aes', mode: 'cbc', ivMode: 'plain', keyCount: 2 }],
  ['aes-ecb', { ...plainDefaults, cipher: 'aes', mode: 'ecb', ivMode: null }],
  ['aes-ecb-bogus', { ...plainDefaults, cipher: 'aes', mode: 'ecb', ivMode: 'bogus' }],
  [
    'aes-cbc-plain:foo',
    { ...plainDefaults, cipher: 'aes', mode: 'cbc', ivMode: 'plain', ivOptions: 'foo' },
  ],
  [
    'aes-cbc-essiv:sha3-256',
    { ...plainDefaults, cipher: 'aes', mode: 'cbc', ivMode: 'essiv', ivOptions: 'sha3-256' },
  ],
  ['aes:64-cbc-lmk', { ...plainDefaults, cipher: 'aes', mode: 'cbc', ivMode: 'lmk', keyCount: 64 }],
  [
    'aes:4294967298-cbc-plain',
    { ...plainDefaults, cipher: 'aes', mode: 'cbc', ivMode: 'plain', keyCount: 2 },
  ],
  ['capi:xts(aes)-plain64', { ...plainDefaults, cipher: 'aes', mode: 'xts', ivMode: 'plain64' }],
  [
    'capi:cbc(aes-generic)-plain64:',
    { ...plainDefaults, cipher: 'aes', mode: 'cbc', ivMode: 'plain64', ivOptions: '' },
  ],
  ['capi:ecb(des3_ede)', { ...plainDefaults, cipher: 'des3_ede', mode: 'ecb', ivMode: null }],
  [
    'capi:cbc(aes)-lmk',
    { ...plainDefaults, cipher: 'aes', mode: 'cbc', ivMode: 'lmk', keyCount: 64 },
  ],
  [
    'capi:cbc(aes)-essiv:sha256',
    { ...plainDefaults, cipher: 'aes', mode: 'cbc', ivMode: 'essiv', ivOptions: 'sha256' },
  ],
  [
    'capi:essiv(cbc(aes),sha3-256)-plain64',
    { ...plainDefaults, cipher: 'aes', mode: 'cbc', ivMode: 'plain64', essivHashes: ['sha3-256'] },
  ],
  [
    'capi:essiv(essiv(cbc(aes),md5),sha256)-null',
    {
      ...plainDefaults,
      cipher: 'aes',
      mode: 'cbc',
      ivMode: 'null',
      essivHashes: ['sha256', 'md5'],
    },
  ],
];

const long = 'x'.repeat(130);

/** With the kernel's words and errno, for a key of 32 bytes. */
const refused: [text: string, code: string, words: string][] = [
  ['aes-cbc', 'EINVAL', 'IV mechanism required'],
  ['aes-cbc-', 'EINVAL', 'Invalid IV mode'],
  ['aes-cbc-PLAIN', 'EINVAL', 'Invalid IV mode'],
  ['aes-cbc-plain-foo', 'EINVAL', 'Invalid IV mode'],
  ['aes-cbc-random', 'EINVAL', 'Integrity profile not supported.'],
  ['aes-cbc-essiv', 'EINVAL', 'Digest algorithm missing for ESSIV mode'],
  ['aes-cbc-essiv:', 'ENOENT', 'Error allocating crypto tfm'],
  ['aes-cbc-essiv:SHA256', 'ENOENT', 'Error allocating crypto tfm'],
  ['aes-cbc-essiv:ripemd160', 'ENOENT', 'Error allocating crypto tfm'],
  ['aes-cbc-essiv:sha512', 'EINVAL', 'Error allocating crypto tfm'],
  ['aes-cbc-essiv:sha1', 'EINVAL', 'Error decoding and setting key'],
  ['aes-cbc-essiv:hmac(sha256)', 'EINVAL', 'Bad cipher specification'],
  ['aes-ecb-essiv:sha256', 'EINVAL', 'Unsupported essiv instantiation'],
  ['aes-ctr-eboiv', 'EINVAL', 'Error creating IV'],
  ['aes:3-cbc-plain', 'EINVAL', 'Bad cipher key count specification'],
  ['aes:0-cbc-plain', 'EINVAL', 'Bad cipher key count specification'],
  ['aes:-cbc-plain', 'EINVAL', 'Bad cipher key count specification'],
  ['aes:+2-cbc-plain', 'EINVAL', 'Bad cipher key count specification'],
  ['aes:2x-cbc-plain', 'EINVAL', 'Bad cipher key count specification'],
  ['aes:064-cbc-plain', 'EINVAL', 'Error decoding and setting key'],
  ['aes:65536-cbc-plain', 'EINVAL', 'Error decoding and setting key'],
  ['AES-cbc-plain', 'ENOENT', 'Error allocating crypto tfm'],
  ['aes-CBC-plain', 'ENOENT', 'Error allocating crypto tfm'],
  ['aes-bogus-plain', 'ENOENT', 'Error allocating crypto tfm'],
  ['-', 'EINVAL', 'IV mechanism required'],
  ['cbc(aes)-plain', 'EINVAL', 'Bad cipher specification'],
  ['CAPI:cbc(aes)-plain64', 'EINVAL', 'Bad cipher specification'],
  ['des3_ede-xts-plain64', 'EINVAL', 'Error allocating crypto tfm'],
  ['aes-xts-essiv:bogus', 'ENOENT', 'Error allocating crypto tfm'],
  [`aes-${long}-plain`, 'ENOMEM', 'Cannot allocate cipher strings'],
  ['capi:', 'ENOENT', 'Error allocating crypto tfm'],
  ['capi:aes-plain64', 'ENOENT', 'Error allocating crypto tfm'],
  ['capi:cbc(aes', 'ENOENT', 'Error allocating crypto tfm'],
  ['capi:cbc( aes)-plain64', 'ENOENT', 'Error allocating crypto tfm'],
  ['capi:xts(aes)-', 'EINVAL', 'Invalid IV mode'],
  ['capi:cbc(aes)-essiv', 'EINVAL', 'Digest algorithm missing for ESSIV mode'],
  ['capi:cbc(aes)-essiv:sha256:x', 'EINVAL', 'Invalid IV mode'],
  ['capi:essiv(ecb(aes),sha256)-plain64', 'EINVAL', 'Error allocating crypto tfm'],
  ['capi:essiv(cbc(aes),bogus)-plain64', 'ENOENT', 'Error allocating crypto tfm'],
  [`capi:cbc(aes)-essiv:${long}`, 'ENOMEM', 'Cannot allocate cipher string'],
  // The kernel takes it, and encrypts with whatever its memory holds for an IV.
  ['capi:xts(aes)', 'EINVAL', 'IV mechanism required'],
];

function create(text: string, keyBytes = 32, sectorBytes = 512): void {
  const spec = parseCipherSpec(text);
  const key = Uint8Array.from({ length: keyBytes }, (_, index) => 0xc0 + index);
  createSectorCipher({ spec, key, sectorBytes, ivLargeSectors: false, ivOffset: 0n }).close();
}

describe('what dm-crypt takes for a cipher', () => {
  it.each(accepted)('%s', (text, spec) => {
    expect(parseCipherSpec(text)).toEqual({ text, ...spec });
  });

  it.each(refused)('refuses %s with %s: %s', (text, code, words) => {
    expect(() => create(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) }),
    );
  });

  it('refuses keys of a wrong length, says which there are, and never the key', () => {
    const expected = 'Error decoding and setting key, expected 32, 48, 64 bytes, got 40';
    expect(() => create('aes-xts-plain64', 40)).toThrow(expected);
    expect(() => create('aes-xts-plain64', 40)).not.toThrow(/c0|c1|192/);
    expect(() => create('aes-xts-plain64', 0)).toThrow('got 0');
    expect(() => create('aes:2-cbc-plain64', 40)).toThrow('expected 32, 48, 64 bytes, got 40');
    expect(() => create('des3_ede-cbc-plain64', 16)).toThrow('expected 24 bytes, got 16');
  });

  it('refuses sectors that are no power of two from 512 to 4096', () => {
    for (const sectorBytes of [0, 256, 520, 8192]) {
      expect(() => create('aes-xts-plain64', 64, sectorBytes)).toThrow('sector_size');
    }
  });
});
