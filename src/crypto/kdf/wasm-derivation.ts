/** PBKDF2 and Argon2 by hash-wasm, for where nothing native computes them. Blocks its thread: worker.ts runs it in one of its own. */

import { argon2i, argon2id, pbkdf2 } from 'hash-wasm';
import { loadWasmHasher } from '../hash.ts';
import type { Pbkdf } from './pbkdf.ts';

/** Plain data, so that it can be posted to a thread; passphrase and key are shared memory, so that nothing is copied. */
export interface WasmDerivation {
  pbkdf: Pbkdf;
  passphrase: Uint8Array;
  salt: Uint8Array;
  /** Gets the key. */
  key: Uint8Array;
}

export async function deriveInWasm({
  pbkdf,
  passphrase,
  salt,
  key,
}: WasmDerivation): Promise<void> {
  const common = {
    password: passphrase,
    salt,
    iterations: pbkdf.iterations,
    hashLength: key.byteLength,
    outputType: 'binary',
  } as const;
  const derived = await compute(common, pbkdf);
  key.set(derived);
  derived.fill(0);
}

interface CommonOptions {
  password: Uint8Array;
  salt: Uint8Array;
  iterations: number;
  hashLength: number;
  outputType: 'binary';
}

function compute(common: CommonOptions, pbkdf: Pbkdf): Promise<Uint8Array> {
  if (pbkdf.name === 'pbkdf2') {
    return pbkdf2({ ...common, hashFunction: loadWasmHasher(pbkdf.hash) });
  }
  const options = { ...common, parallelism: pbkdf.parallel, memorySize: pbkdf.memoryKiB };
  return pbkdf.name === 'argon2i' ? argon2i(options) : argon2id(options);
}
