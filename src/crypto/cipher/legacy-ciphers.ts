/**
 * Ciphers of OpenSSL's legacy provider: EVP loads it, `cipher.update` has them only under `node --openssl-legacy-provider`.
 * Known answers: Eric Young's vectors for Blowfish, RFC 2144 (B.1) for CAST5.
 */

import type { CipherType } from './block-cipher.ts';
import { opensslCipher } from './openssl-cipher.ts';

/** Every length from `min` to `max`: OpenSSL and the kernel take any whole bytes. */
const lengths = (min: number, max: number) =>
  Array.from({ length: max - min + 1 }, (_, index) => min + index);

export const blowfish: CipherType = opensslCipher({
  name: 'blowfish',
  blockBytes: 8,
  keyLengthsBytes: lengths(4, 56),
  opensslName: () => 'BF-ECB',
  legacy: true,
  knownAnswers: [
    { key: 'f0e1d2c3', plaintext: 'fedcba9876543210', ciphertext: 'be1e639408640f05' },
    { key: 'fedcba9876543210', plaintext: '0123456789abcdef', ciphertext: '0aceab0fc6a0a28d' },
    {
      key: 'f0e1d2c3b4a5968778695a4b3c2d1e0f0011223344556677',
      plaintext: 'fedcba9876543210',
      ciphertext: '05044b62fa52d080',
    },
  ],
});

export const cast5: CipherType = opensslCipher({
  name: 'cast5',
  blockBytes: 8,
  keyLengthsBytes: lengths(5, 16),
  opensslName: () => 'CAST5-ECB',
  legacy: true,
  knownAnswers: [
    { key: '0123456712', plaintext: '0123456789abcdef', ciphertext: '7ac816d16e9b302e' },
    { key: '01234567123456782345', plaintext: '0123456789abcdef', ciphertext: 'eb6a711a2c02271b' },
    {
      key: '0123456712345678234567893456789a',
      plaintext: '0123456789abcdef',
      ciphertext: '238b4fe5847e44b2',
    },
  ],
});
