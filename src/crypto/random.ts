/** Randomness nobody can guess, for keys, salts and the overwriting of both. Tests of everything else have their own: base/prng.ts. */

import { randomFillSync, randomUUID } from 'node:crypto';
import { Secret } from './secret.ts';

export function randomBytes(lengthBytes: number): Uint8Array {
  return randomFillSync(new Uint8Array(lengthBytes));
}

/** The caller wipes it. */
export function randomSecret(lengthBytes: number): Secret {
  const secret = Secret.allocate(lengthBytes);
  randomFillSync(secret.bytes);
  return secret;
}

/** Version 4, lower case. */
export { randomUUID as randomUuid };
