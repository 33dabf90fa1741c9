/** The first argument: what `parseCipherSpec` knows, and names of authenticated ciphers, of which no more is needed than to refuse them. */

import { DmError } from '../../base/errors.ts';
import { type CipherSpec, parseCipherSpec } from '../../crypto/cipher-spec.ts';

const AUTHENTICATED = /^capi:(authenc\(|gcm\(|ccm\(|rfc7539\(|aegis\d|chacha20)/;

/** A key where the cipher should be must not get into a message. */
const LOOKS_LIKE_KEY = /^[0-9a-f]{32,}$/i;

/** Throws DmError in the kernel's words. */
export function parseCipherArgument(text: string, options: { aead: boolean }): CipherSpec {
  if (LOOKS_LIKE_KEY.test(text)) {
    const detail = `expected a cipher, got ${text.length} hex digits: does the key stand before it?`;
    throw new DmError('ENOENT', `Error allocating crypto tfm: ${detail}`);
  }
  if (!options.aead) return parseCipherSpec(text);
  if (!text.startsWith('capi:')) {
    throw new DmError('EINVAL', `Bad cipher specification: expected capi:..., got "${text}"`);
  }
  if (!AUTHENTICATED.test(text)) {
    const detail = `"${text}" does not authenticate, so it needs no integrity:N:aead`;
    throw new DmError('EINVAL', `Error allocating crypto tfm: ${detail}`);
  }
  return { ...parseCipherSpec('capi:xts(aes)-plain64'), text };
}
