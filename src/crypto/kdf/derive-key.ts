/** A key from a passphrase, computed off the main thread. */

import { totalmem } from 'node:os';
import { DmError } from '../../base/errors.ts';
import { Secret } from '../secret.ts';
import { type Argon2Engine, deriveArgon2 } from './argon2.ts';
import { checkDerivation, checkStoredPbkdf, type Pbkdf } from './pbkdf.ts';
import { derivePbkdf2 } from './pbkdf2.ts';

export interface DeriveOptions {
  /**
   * Rejects at once. What computes natively goes on in its thread until it is done, and its result is wiped; a thread that
   * computes in WebAssembly ends.
   */
  signal?: AbortSignal | undefined;
  /** Instead of the best there is; for tests and benchmarks. */
  argon2Engine?: Argon2Engine;
}

/** Memory that this process may have at all: a control group's limit counts. */
export function physicalMemoryBytes(): number {
  const limitBytes = process.constrainedMemory();
  const totalBytes = totalmem();
  return limitBytes > 0 ? Math.min(limitBytes, totalBytes) : totalBytes;
}

/**
 * The key of `keyBytes` bytes that stored parameters give; the caller wipes it. `passphrase` must stay until this resolves.
 * Throws EINVAL for parameters out of bounds, ENOTSUP for an unknown hash, ENOMEM where the machine is too small, and the
 * signal's reason when it was aborted.
 */
export async function deriveKey(
  pbkdf: Pbkdf,
  passphrase: Secret,
  salt: Uint8Array,
  keyBytes: number,
  options: DeriveOptions = {},
): Promise<Secret> {
  checkStoredPbkdf(pbkdf);
  checkDerivation(pbkdf, salt.byteLength, keyBytes);
  checkMemory(pbkdf);
  options.signal?.throwIfAborted();
  const key = Secret.allocate(keyBytes);
  try {
    await unlessAborted(computeInto(key, pbkdf, passphrase, salt, options), options.signal);
    return key;
  } catch (error) {
    key.wipe();
    throw error;
  }
}

/** Too much memory is not an error that can be caught: the system ends the process. */
function checkMemory(pbkdf: Pbkdf): void {
  if (pbkdf.name === 'pbkdf2') return;
  const availableKiB = Math.floor(physicalMemoryBytes() / 1024);
  if (pbkdf.memoryKiB <= availableKiB) return;
  throw new DmError(
    'ENOMEM',
    `Not enough available memory to open a keyslot: ${pbkdf.name} needs ${pbkdf.memoryKiB} KiB, this machine has ${availableKiB} KiB`,
  );
}

function computeInto(
  key: Secret,
  pbkdf: Pbkdf,
  passphrase: Secret,
  salt: Uint8Array,
  { signal, argon2Engine }: DeriveOptions,
): Promise<void> {
  const { name } = pbkdf;
  if (name === 'pbkdf2') return derivePbkdf2(pbkdf, passphrase, salt, key, signal);
  const job = { pbkdf: { ...pbkdf, name }, passphrase, salt, key, signal };
  return deriveArgon2(job, argon2Engine);
}

async function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return work;
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      const { reason } = signal;
      reject(
        reason instanceof Error ? reason : new DmError('ECANCELED', 'Deriving a key was stopped'),
      );
    };
    signal.addEventListener('abort', onAbort);
  });
  // Nobody waits for what ends after an abort.
  work.catch(() => {});
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
