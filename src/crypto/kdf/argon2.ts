/**
 * Argon2i and Argon2id, version 1.3 (RFC 9106). Three ways, the fastest that is there:
 *
 * 1. @node-rs/argon2: native, a thread for each lane, 0.5 to 0.9 of cryptsetup's time;
 * 2. `crypto.argon2` of Node 24.7 and later: native, all lanes in one thread;
 * 3. hash-wasm: one thread, two to three times cryptsetup's time on two processors.
 */

import * as nodeCrypto from 'node:crypto';
import type { Secret } from '../secret.ts';
import type { Pbkdf } from './pbkdf.ts';
import { deriveInThread } from './wasm-thread.ts';

export type Argon2Engine = 'native' | 'node' | 'wasm';

type NativeLibrary = typeof import('@node-rs/argon2');

/** Not in the types of the oldest Node that we support. */
type NodeArgon2 = (
  algorithm: string,
  parameters: {
    message: Uint8Array;
    nonce: Uint8Array;
    parallelism: number;
    tagLength: number;
    memory: number;
    passes: number;
  },
  callback: (error: Error | null, derived: Uint8Array) => void,
) => void;

/** The numbers of @node-rs/argon2, whose enums exist only for its own compilation. */
const NATIVE_ALGORITHMS = { argon2i: 1, argon2id: 2 } as const;
const NATIVE_VERSION_1_3 = 1;

const nodeArgon2 = (nodeCrypto as unknown as { argon2?: NodeArgon2 }).argon2;

interface Argon2Job {
  pbkdf: Pbkdf & { name: 'argon2i' | 'argon2id' };
  passphrase: Secret;
  salt: Uint8Array;
  key: Secret;
  signal?: AbortSignal | undefined;
}

/** What there is on this machine, best first. */
export async function argon2Engines(): Promise<Argon2Engine[]> {
  const engines: Argon2Engine[] = ['wasm'];
  if (nodeArgon2) engines.unshift('node');
  if (await loadNative()) engines.unshift('native');
  return engines;
}

let native: Promise<NativeLibrary | null> | null = null;

/** It has a binary for each of the usual platforms, and is an optional dependency for the others. */
function loadNative(): Promise<NativeLibrary | null> {
  native ??= import('@node-rs/argon2').catch(() => null);
  return native;
}

export async function deriveArgon2(job: Argon2Job, engine?: Argon2Engine): Promise<void> {
  const chosen = engine ?? (await argon2Engines())[0];
  if (chosen === 'native') return deriveNative(job);
  if (chosen === 'node') return deriveNode(job);
  const { pbkdf, passphrase, salt, key, signal } = job;
  return deriveInThread({ pbkdf, passphrase: passphrase.bytes, salt, key: key.bytes }, signal);
}

/** The library copies the passphrase before it returns; the key it gives is ours to wipe. */
async function deriveNative({ pbkdf, passphrase, salt, key, signal }: Argon2Job): Promise<void> {
  const library = await loadNative();
  if (!library) throw new Error('@node-rs/argon2 is not there');
  const options = {
    algorithm: NATIVE_ALGORITHMS[pbkdf.name],
    version: NATIVE_VERSION_1_3,
    timeCost: pbkdf.iterations,
    memoryCost: pbkdf.memoryKiB,
    parallelism: pbkdf.parallel,
    outputLen: key.lengthBytes,
    salt,
  };
  takeKey(await library.hashRaw(passphrase.bytes, options, signal), key);
}

function deriveNode({ pbkdf, passphrase, salt, key }: Argon2Job): Promise<void> {
  const parameters = {
    message: passphrase.bytes,
    nonce: salt,
    parallelism: pbkdf.parallel,
    tagLength: key.lengthBytes,
    memory: pbkdf.memoryKiB,
    passes: pbkdf.iterations,
  };
  return new Promise((resolve, reject) => {
    nodeArgon2?.(pbkdf.name, parameters, (error, derived) => {
      if (error) {
        reject(error);
        return;
      }
      takeKey(derived, key);
      resolve();
    });
  });
}

/** Nobody wants a key any more that was wiped meanwhile. */
function takeKey(derived: Uint8Array, key: Secret): void {
  if (!key.isWiped) key.bytes.set(derived);
  derived.fill(0);
}
