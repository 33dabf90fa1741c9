/** What the ciphers of one thread share: memory, kernels, and the way ciphers are reached. */

import type { CipherMemory } from './kernels/cipher-memory.ts';

/** `evp`: OpenSSL in place through koffi. `node`: `cipher.update`. `js`: that, and no WASM kernels around it. */
export type CipherPath = 'evp' | 'node' | 'js';

export interface CipherEngine {
  readonly path: CipherPath;
  readonly memory: CipherMemory;
}
