/** A key slot's `kdf` and the parameters that key derivation takes. */

import { DmError } from '../../base/errors.ts';
import type { Pbkdf } from '../../crypto/kdf/pbkdf.ts';
import { randomBytes } from '../../crypto/random.ts';
import { fromBase64, toBase64 } from './base64.ts';
import { KDF_SALT_BYTES } from './limits.ts';
import { isArgon2, isPbkdf2, type Luks2Kdf } from './metadata.ts';

/** null: of a type that we do not know. */
export function pbkdfOf(kdf: Luks2Kdf): Pbkdf | null {
  if (isPbkdf2(kdf)) {
    const { hash, iterations } = kdf;
    return { name: 'pbkdf2', hash, iterations, memoryKiB: 0, parallel: 0 };
  }
  if (!isArgon2(kdf)) return null;
  const { type, time, memory, cpus } = kdf;
  return { name: type, hash: '', iterations: time, memoryKiB: memory, parallel: cpus };
}

/** Throws ENOTSUP for a type that we do not know. */
export function saltedPbkdfOf(kdf: Luks2Kdf): { pbkdf: Pbkdf; salt: Uint8Array } {
  const pbkdf = pbkdfOf(kdf);
  const { salt } = kdf;
  if (pbkdf && typeof salt === 'string') return { pbkdf, salt: fromBase64(salt) };
  throw new DmError('ENOTSUP', `Cannot open key slot: key derivation "${kdf.type}" is not known`);
}

/** With a new salt. */
export function createKdf(pbkdf: Pbkdf): Luks2Kdf {
  const salt = toBase64(randomBytes(KDF_SALT_BYTES));
  const { name, hash, iterations, memoryKiB, parallel } = pbkdf;
  return name === 'pbkdf2'
    ? { type: name, hash, iterations, salt }
    : { type: name, time: iterations, memory: memoryKiB, cpus: parallel, salt };
}
