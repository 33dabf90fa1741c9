/** A key slot's `kdf` and the parameters that key derivation takes. */

import type { Pbkdf } from '../../crypto/kdf/pbkdf.ts';
import { randomBytes } from '../../crypto/random.ts';
import { toBase64 } from './base64.ts';
import { KDF_SALT_BYTES } from './limits.ts';
import type { Luks2Kdf } from './metadata.ts';

export function pbkdfOf(kdf: Luks2Kdf): Pbkdf {
  if (kdf.type === 'pbkdf2') {
    const { hash, iterations } = kdf;
    return { name: 'pbkdf2', hash, iterations, memoryKiB: 0, parallel: 0 };
  }
  const { type, time, memory, cpus } = kdf;
  return { name: type, hash: '', iterations: time, memoryKiB: memory, parallel: cpus };
}

/** With a new salt. */
export function createKdf(pbkdf: Pbkdf): Luks2Kdf {
  const salt = toBase64(randomBytes(KDF_SALT_BYTES));
  const { name, hash, iterations, memoryKiB, parallel } = pbkdf;
  return name === 'pbkdf2'
    ? { type: name, hash, iterations, salt }
    : { type: name, time: iterations, memory: memoryKiB, cpus: parallel, salt };
}
