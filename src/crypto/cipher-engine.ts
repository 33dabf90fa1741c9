/** What the ciphers of one thread share: memory, kernels, and the way ciphers are reached. */

import type { CipherCalls } from '../system/cipher-calls.ts';
import { loadSystem } from '../system/index.ts';
import { type BlockKernels, createBlockKernels } from './kernels/block-kernels.ts';
import { CipherMemory } from './kernels/cipher-memory.ts';

const paths = ['evp', 'node', 'js'] as const;

/**
 * From the fastest on; what a cipher cannot do on one path, it does on the next.
 * - `evp`: OpenSSL in place through koffi
 * - `node`: `cipher.update`
 * - `js`: that, without WASM around it
 */
export type CipherPath = (typeof paths)[number];

export interface CipherEngine {
  readonly path: CipherPath;
  readonly memory: CipherMemory;
  readonly kernels: BlockKernels;
  /** Null on the other paths. */
  readonly calls: CipherCalls | null;
}

let memory: CipherMemory | undefined;
const engines = new Map<CipherPath, CipherEngine>();

/** The thread's. DEVMAPPER_CIPHER_PATH or `path` leave out the faster ones, for tests. */
export function cipherEngine(path: CipherPath = environmentPath()): CipherEngine {
  const known = engines.get(path);
  if (known) return known;
  memory ??= new CipherMemory();
  const engine: CipherEngine = {
    path,
    memory,
    kernels: createBlockKernels(memory, path !== 'js'),
    calls: path === 'evp' ? (loadSystem()?.ciphers ?? null) : null,
  };
  engines.set(path, engine);
  return engine;
}

function environmentPath(): CipherPath {
  const wanted = process.env['DEVMAPPER_CIPHER_PATH'];
  return paths.find((path) => path === wanted) ?? 'evp';
}
