/** The checksum of a copy of the header: a plain hash over its bytes with zeros in the checksum's place. */

import { hashDigestBytes, loadHash } from '../../crypto/hash.ts';
import { CHECKSUM_BYTES } from './binary-header.ts';

/** Whether a header may name it: it can be computed and the field has room for it. */
export function isChecksumAlgorithm(algorithm: string): boolean {
  const digestBytes = hashDigestBytes(algorithm);
  return digestBytes !== null && digestBytes <= CHECKSUM_BYTES;
}

/** Of an algorithm that `isChecksumAlgorithm`. */
export async function checksumOf(algorithm: string, copy: Uint8Array): Promise<Uint8Array> {
  const hash = await loadHash(algorithm);
  const digest = new Uint8Array(hash.digestBytes);
  hash.digestInto(digest, copy);
  return digest;
}
