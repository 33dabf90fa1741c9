/** What a new volume of either version is encrypted with, where the request does not say: cryptsetup's defaults. */

import { DmError } from '../../base/errors.ts';
import { parseCipherSpec } from '../../crypto/cipher-spec.ts';
import { randomSecret } from '../../crypto/random.ts';
import { Secret } from '../../crypto/secret.ts';
import type { FormatRequest } from './types.ts';

export const DEFAULT_CIPHER = 'aes-xts-plain64';
const DEFAULT_KEY_BYTES = 32;

/** A cipher without a mode has the oldest one, as for dm-crypt. */
export function fullCipher(cipher: string): string {
  if (cipher === 'null') return 'cipher_null-ecb';
  return cipher.includes('-') ? cipher : `${cipher}-cbc-plain`;
}

export function isNullCipher(cipher: string): boolean {
  return cipher.startsWith('cipher_null');
}

/** XTS takes two keys. Throws DmError for what is no cipher. */
export function defaultKeyBytes(cipher = DEFAULT_CIPHER): number {
  const full = fullCipher(cipher);
  const isXts = !isNullCipher(full) && parseCipherSpec(full).mode === 'xts';
  return isXts ? 2 * DEFAULT_KEY_BYTES : DEFAULT_KEY_BYTES;
}

/** The given one, copied, or a random one. The caller wipes it. */
export function chooseVolumeKey(
  { volumeKey, keyBytes }: Pick<FormatRequest, 'volumeKey' | 'keyBytes'>,
  cipher: string,
  maxBytes: number,
): Secret {
  const wantedBytes = keyBytes ?? volumeKey?.lengthBytes ?? defaultKeyBytes(cipher);
  if (!Number.isInteger(wantedBytes) || wantedBytes < 1 || wantedBytes > maxBytes) {
    throw new DmError('EINVAL', `Cannot format: a key of ${wantedBytes} bytes is not possible`);
  }
  if (!volumeKey) return randomSecret(wantedBytes);
  if (volumeKey.lengthBytes === wantedBytes) return Secret.from(volumeKey.bytes);
  const sizes = `expected ${wantedBytes} bytes, got ${volumeKey.lengthBytes}`;
  throw new DmError('EINVAL', `Cannot format: the volume key has the wrong size, ${sizes}`);
}
