/** Twofish. Known answers: "Twofish: A 128-Bit Block Cipher", test vectors ecb_ival.txt and ecb_tbl.txt of the submission. */

import { twofishWasm } from '../kernels/twofish-wasm.ts';
import type { CipherType } from './block-cipher.ts';
import { wasmCipher } from './wasm-cipher.ts';

export const twofish: CipherType = wasmCipher({
  name: 'twofish',
  blockBytes: 16,
  keyLengthsBytes: [16, 24, 32],
  wasmBase64: twofishWasm,
  scheduleBytes: 4304,
  keyOffsetBytes: 4272,
  knownAnswers: [
    {
      key: '00000000000000000000000000000000',
      plaintext: '00000000000000000000000000000000',
      ciphertext: '9f589f5cf6122c32b6bfec2f2ae8c35a',
    },
    {
      key: '0123456789abcdeffedcba98765432100011223344556677',
      plaintext: '00000000000000000000000000000000',
      ciphertext: 'cfd1d2e5a9be9cdf501f13b892bd2248',
    },
    {
      key: '0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff',
      plaintext: '00000000000000000000000000000000',
      ciphertext: '37527be0052334b89f0cfccae87cfa20',
    },
  ],
});
