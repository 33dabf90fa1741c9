/** The only list of block ciphers. */

import type { CipherType } from './block-cipher.ts';
import { aes, aria, camellia, sm4, tripleDes } from './openssl-ciphers.ts';

const cipherTypes: readonly CipherType[] = [aes, camellia, aria, sm4, tripleDes];

const byName = new Map(cipherTypes.map((type) => [type.name, type]));

/** By the kernel's name; undefined for one that nobody has. */
export function findCipherType(name: string): CipherType | undefined {
  return byName.get(name);
}
