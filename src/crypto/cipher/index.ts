/** The only list of block ciphers. */

import type { CipherType } from './block-cipher.ts';

const cipherTypes: readonly CipherType[] = [];

const byName = new Map(cipherTypes.map((type) => [type.name, type]));

/** By the kernel's name; undefined for one that nobody has. */
export function findCipherType(name: string): CipherType | undefined {
  return byName.get(name);
}
