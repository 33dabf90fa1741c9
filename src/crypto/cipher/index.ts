/** The only list of block ciphers. */

import type { CipherType } from './block-cipher.ts';
import { blowfish, cast5 } from './legacy-ciphers.ts';
import { nullCipher } from './null-cipher.ts';
import { aes, aria, camellia, sm4, tripleDes } from './openssl-ciphers.ts';
import { serpent } from './serpent.ts';
import { twofish } from './twofish.ts';

const cipherTypes: readonly CipherType[] = [
  aes,
  camellia,
  aria,
  sm4,
  tripleDes,
  blowfish,
  cast5,
  serpent,
  twofish,
  nullCipher,
];

const byName = new Map(cipherTypes.map((type) => [type.name, type]));

/** By the kernel's name; undefined for one that nobody has. */
export function findCipherType(name: string): CipherType | undefined {
  return byName.get(name);
}
