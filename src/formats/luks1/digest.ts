/** Whether a key is the volume's: PBKDF2 of it, compared with 20 bytes in the header. */

import { deriveKey } from '../../crypto/kdf/derive-key.ts';
import type { Pbkdf } from '../../crypto/kdf/pbkdf.ts';
import type { Secret } from '../../crypto/secret.ts';
import { DIGEST_BYTES, type Luks1Header } from './header.ts';

/** LUKS1 knows no other derivation. */
export function pbkdf2(hash: string, iterations: number): Pbkdf {
  return { name: 'pbkdf2', hash, iterations, memoryKiB: 0, parallel: 0 };
}

export async function computeDigest(
  header: Pick<Luks1Header, 'hash' | 'digestIterations' | 'digestSalt'>,
  volumeKey: Secret,
): Promise<Uint8Array> {
  const pbkdf = pbkdf2(header.hash, header.digestIterations);
  using digest = await deriveKey(pbkdf, volumeKey, header.digestSalt, DIGEST_BYTES);
  return digest.bytes.slice();
}

export async function isVolumeKey(header: Luks1Header, key: Secret): Promise<boolean> {
  if (key.lengthBytes !== header.keyBytes) return false;
  const digest = await computeDigest(header, key);
  // All bytes, however early one differs.
  return digest.reduce((rest, byte, index) => rest | (byte ^ header.digest[index]!), 0) === 0;
}
