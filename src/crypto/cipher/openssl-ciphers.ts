/** The ciphers that OpenSSL's default provider has and the kernel too. Known answers: FIPS 197, RFC 3713, RFC 5794, GB/T 32907, SP 800-67. */

import type { CipherType } from './block-cipher.ts';
import { opensslCipher } from './openssl-cipher.ts';

const bits = (keyBytes: number) => keyBytes * 8;

export const aes: CipherType = opensslCipher({
  name: 'aes',
  blockBytes: 16,
  keyLengthsBytes: [16, 24, 32],
  opensslName: (keyBytes) => `AES-${bits(keyBytes)}-ECB`,
  knownAnswers: [
    {
      key: '000102030405060708090a0b0c0d0e0f',
      plaintext: '00112233445566778899aabbccddeeff',
      ciphertext: '69c4e0d86a7b0430d8cdb78070b4c55a',
    },
    {
      key: '000102030405060708090a0b0c0d0e0f1011121314151617',
      plaintext: '00112233445566778899aabbccddeeff',
      ciphertext: 'dda97ca4864cdfe06eaf70a0ec0d7191',
    },
    {
      key: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
      plaintext: '00112233445566778899aabbccddeeff',
      ciphertext: '8ea2b7ca516745bfeafc49904b496089',
    },
  ],
});

export const camellia: CipherType = opensslCipher({
  name: 'camellia',
  blockBytes: 16,
  keyLengthsBytes: [16, 24, 32],
  opensslName: (keyBytes) => `CAMELLIA-${bits(keyBytes)}-ECB`,
  knownAnswers: [
    {
      key: '0123456789abcdeffedcba9876543210',
      plaintext: '0123456789abcdeffedcba9876543210',
      ciphertext: '67673138549669730857065648eabe43',
    },
    {
      key: '0123456789abcdeffedcba98765432100011223344556677',
      plaintext: '0123456789abcdeffedcba9876543210',
      ciphertext: 'b4993401b3e996f84ee5cee7d79b09b9',
    },
    {
      key: '0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff',
      plaintext: '0123456789abcdeffedcba9876543210',
      ciphertext: '9acc237dff16d76c20ef7c919e3a7509',
    },
  ],
});

export const aria: CipherType = opensslCipher({
  name: 'aria',
  blockBytes: 16,
  keyLengthsBytes: [16, 24, 32],
  opensslName: (keyBytes) => `ARIA-${bits(keyBytes)}-ECB`,
  knownAnswers: [
    {
      key: '000102030405060708090a0b0c0d0e0f',
      plaintext: '00112233445566778899aabbccddeeff',
      ciphertext: 'd718fbd6ab644c739da95f3be6451778',
    },
    {
      key: '000102030405060708090a0b0c0d0e0f1011121314151617',
      plaintext: '00112233445566778899aabbccddeeff',
      ciphertext: '26449c1805dbe7aa25a468ce263a9e79',
    },
    {
      key: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
      plaintext: '00112233445566778899aabbccddeeff',
      ciphertext: 'f92bd7c79fb72e2f2b8f80c1972d24fc',
    },
  ],
});

export const sm4: CipherType = opensslCipher({
  name: 'sm4',
  blockBytes: 16,
  keyLengthsBytes: [16],
  opensslName: () => 'SM4-ECB',
  knownAnswers: [
    {
      key: '0123456789abcdeffedcba9876543210',
      plaintext: '0123456789abcdeffedcba9876543210',
      ciphertext: '681edf34d206965e86b3e94f536e4246',
    },
  ],
});

/** Equal parts of the key are weak; outside FIPS mode the kernel takes them. */
export const tripleDes: CipherType = opensslCipher({
  name: 'des3_ede',
  blockBytes: 8,
  keyLengthsBytes: [24],
  opensslName: () => 'DES-EDE3-ECB',
  knownAnswers: [
    {
      key: '0123456789abcdef23456789abcdef01456789abcdef0123',
      plaintext: '5468652071756663',
      ciphertext: 'a826fd8ce53b855f',
    },
  ],
});
