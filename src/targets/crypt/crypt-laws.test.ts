/** The laws of targets, with a cipher that changes nothing: what goes where is the target's, what is in it the cipher's. */

import type { SectorCipher } from '../../crypto/sector-cipher.ts';
import { describeTarget } from '../../testing/target-laws.ts';
import type { CryptLine } from './line.ts';
import { cryptTarget } from './target-type.ts';

function noCipher({ options }: CryptLine): SectorCipher {
  return {
    sectorBytes: options.sectorBytes,
    encrypt(source, sourceOffset, target, targetOffset, lengthBytes) {
      target.set(source.subarray(sourceOffset, sourceOffset + lengthBytes), targetOffset);
    },
    decrypt: () => undefined,
    close: () => undefined,
    [Symbol.dispose]: () => undefined,
  };
}

const key = '00112233445566778899aabbccddeeff'.repeat(4);

describeTarget(cryptTarget(noCipher), {
  version: '1.29.0',
  hidesHoles: true,
  exempt: ['extra argument'],
  maps: [
    {
      line: `0 100 crypt aes-xts-plain64 ${key} 0 A 0 1 allow_discards`,
      at: [
        [0, 'A', 0],
        [99, 'A', 99],
      ],
      limits: { logicalBlockBytes: 512, physicalBlockBytes: 512, discardGranularityBytes: 512 },
    },
    {
      line: `16 800 crypt aes-cbc-essiv:sha256 ${key.slice(64)} 7 A 1000 1 allow_discards`,
      at: [
        [16, 'A', 1000],
        [815, 'A', 1799],
      ],
    },
    {
      line: `0 3000 crypt aes-xts-plain64 ${key} 0 A 5 2 allow_discards no_read_workqueue`,
      at: [[2999, 'A', 3004]],
    },
    {
      line: `0 17179869184 crypt capi:xts(aes)-plain64 ${key} 18446744073709551615 A 32768`,
      at: [[17179869183, 'A', 17179901951]],
      limits: { discardGranularityBytes: 0 },
    },
  ],
  rejects: [
    { line: `0 100 crypt aes-xts-plain64 ${key} 0 A`, error: /crypt: Not enough arguments/ },
    { line: `0 100 crypt aes-xts-plain64 ${key} x A 0`, error: /Invalid iv_offset sector/ },
    { line: `0 100 crypt aes-xts-plain64 ${key} 0 A x`, error: /Invalid device sector/ },
    {
      line: `0 100 crypt aes-xts-plain64 :64:logon:not:there 0 A 0`,
      error: /Error decoding and setting key: no key "not:there"/,
      code: 'ENOKEY',
    },
    { line: `0 100 crypt aes-xts-plain64 :hex:0 0 A 0`, error: /Cannot parse key size/ },
    { line: `0 100 crypt aes-xts-plain64 :raw:0 0 A 0`, error: /Cannot parse key size/ },
    {
      line: `0 100 crypt aes-xts-plain64 zz${key.slice(2)} 0 A 0`,
      error: /Error decoding and setting key: it has characters that are not hex digits \(/,
    },
    {
      line: `0 100 crypt aes-xts-random ${key} 0 A 0`,
      error: /Integrity profile not supported\.: a random IV/,
    },
    {
      line: `0 100 crypt aes-xts-plain64 ${key} 0 A 0 1 sector_size:4096`,
      error: /Device size is not multiple of sector_size feature/,
    },
  ],
});
