/** The kernel's `cipher_null`: what is encrypted stays as it is. cryptsetup has it for devices that are yet to be encrypted, and for tests. */

import type { BlockCipher, CipherType } from './block-cipher.ts';

const untouched: BlockCipher = {
  encrypt: () => undefined,
  decrypt: () => undefined,
  close: () => undefined,
};

export const nullCipher: CipherType = {
  name: 'cipher_null',
  // The kernel's has blocks of one byte, which only ecb does nothing with.
  blockBytes: 16,
  onlyEcb: true,
  keyLengthsBytes: [0],
  create: () => untouched,
};
