/** How a key is divided, as `dmsetup measure` tells it: keys of the cipher, and what the IV generator takes for itself. */

import type { CipherSpec } from '../../crypto/cipher-spec.ts';

/** Of tcw: as long as four words. */
const WHITENING_BYTES = 16;
const BLOCK_BYTES = new Map([
  ['des3_ede', 8],
  ['des', 8],
  ['blowfish', 8],
  ['cast5', 8],
]);

export function keyParts(
  { cipher, keyCount, ivMode }: CipherSpec,
  keyBytes: number,
): { partCount: number; extraBytes: number } {
  if (ivMode === 'elephant') return { partCount: 2, extraBytes: keyBytes / 2 };
  if (ivMode === 'tcw') {
    const blockBytes = BLOCK_BYTES.get(cipher) ?? 16;
    return { partCount: keyCount + 2, extraBytes: blockBytes + WHITENING_BYTES };
  }
  if (ivMode === 'lmk' && keyBytes % keyCount !== 0) {
    const partCount = keyCount + 1;
    return { partCount, extraBytes: Math.floor(keyBytes / partCount) };
  }
  return { partCount: keyCount, extraBytes: 0 };
}
