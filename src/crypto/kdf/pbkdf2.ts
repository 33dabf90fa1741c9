/** PBKDF2 (RFC 8018, 5.2) with OpenSSL in Node's thread pool; with the few hashes it has not, in WebAssembly. */

import { pbkdf2 } from 'node:crypto';
import { nodeHashName } from '../hash.ts';
import type { Secret } from '../secret.ts';
import type { Pbkdf } from './pbkdf.ts';
import { deriveInThread } from './wasm-thread.ts';

/** Node copies passphrase and salt before it returns, and overwrites its copy. */
export function derivePbkdf2(
  pbkdf: Pbkdf,
  passphrase: Secret,
  salt: Uint8Array,
  key: Secret,
  signal?: AbortSignal,
): Promise<void> {
  const digest = nodeHashName(pbkdf.hash);
  if (digest === null) {
    const derivation = { pbkdf, passphrase: passphrase.bytes, salt, key: key.bytes };
    return deriveInThread(derivation, signal);
  }
  return new Promise((resolve, reject) => {
    const { iterations } = pbkdf;
    pbkdf2(passphrase.bytes, salt, iterations, key.lengthBytes, digest, (error, derived) => {
      if (error) {
        reject(error);
        return;
      }
      if (!key.isWiped) key.bytes.set(derived);
      derived.fill(0);
      resolve();
    });
  });
}
