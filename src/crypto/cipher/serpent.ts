/** Serpent, in the byte order of the final submission, as the kernel has it. Known answers: NESSIE's, and the submission's for keys 00 01 02 ... */

import { serpentWasm } from '../kernels/serpent-wasm.ts';
import type { CipherType } from './block-cipher.ts';
import { wasmCipher } from './wasm-cipher.ts';

export const serpent: CipherType = wasmCipher({
  name: 'serpent',
  blockBytes: 16,
  // The kernel's pads every shorter key.
  keyLengthsBytes: Array.from({ length: 32 }, (_, index) => index + 1),
  wasmBase64: serpentWasm,
  scheduleBytes: 592,
  keyOffsetBytes: 528,
  knownAnswers: [
    {
      key: '000102030405060708090a0b0c0d0e0f',
      plaintext: '000102030405060708090a0b0c0d0e0f',
      ciphertext: '4c7d8a328072a22c823e4a1f3acda16d',
    },
    {
      key: '800000000000000000000000000000000000000000000000',
      plaintext: '00000000000000000000000000000000',
      ciphertext: '9e274ead9b737bb21efcfca548602689',
    },
    {
      key: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
      plaintext: '000102030405060708090a0b0c0d0e0f',
      ciphertext: 'de269ff833e432b85b2e88d2701ce75c',
    },
  ],
});
