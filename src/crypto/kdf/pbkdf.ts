/**
 * How a passphrase becomes a key: parameters, defaults and limits.
 * Sources: cryptsetup-luksFormat(8), the LUKS2 on-disk format (5.1), and what cryptsetup 2.6 accepts.
 */

import { DmError } from '../../base/errors.ts';
import { hashDigestBytes, hashNames } from '../hash.ts';

export type PbkdfName = 'pbkdf2' | 'argon2i' | 'argon2id';

/** As stored in a key slot. */
export interface Pbkdf {
  name: PbkdfName;
  /** pbkdf2's only; `sha256` ... */
  hash: string;
  iterations: number;
  /** argon2's only. */
  memoryKiB: number;
  parallel: number;
}

/** What a user asks for; what is absent is cryptsetup's default. `forceIterations` excludes `iterTimeMs`. */
export interface PbkdfRequest {
  name?: PbkdfName;
  hash?: string;
  iterTimeMs?: number;
  forceIterations?: number;
  memoryKiB?: number;
  parallel?: number;
}

/** cryptsetup's, as `cryptsetup --help` lists them. */
export const PBKDF_DEFAULTS = {
  name: 'argon2id',
  hash: 'sha256',
  iterTimeMs: 2000,
  memoryKiB: 1024 * 1024,
  parallel: 4,
} as const;

/** What new key slots may have; the same that cryptsetup insists on. */
export const PBKDF_LIMITS = {
  pbkdf2MinIterations: 1000,
  argon2MinIterations: 4,
  argon2MinMemoryKiB: 32,
  argon2MaxMemoryKiB: 4 * 1024 * 1024,
  argon2MaxParallel: 4,
} as const;

/** What stored parameters may have: more than cryptsetup writes, and no more than what can be computed. */
const MAX_PBKDF2_ITERATIONS = 2 ** 31 - 1;
const MAX_ARGON2_ITERATIONS = 2 ** 32 - 1;
const MAX_STORED_PARALLEL = 255;
/** Argon2 wants 8 blocks of 1 KiB for each lane. */
const MIN_KIB_PER_LANE = 8;
const MAX_KEY_BYTES = 4096;
const MAX_SALT_BYTES = 1024;
/** Argon2 wants so much; PBKDF2 takes any. */
const ARGON2_MIN_SALT_BYTES = 8;

function checkRange(what: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new DmError(
    'EINVAL',
    `Cannot derive a key: ${what} must be an integer from ${min} to ${max}, got ${value}`,
  );
}

function checkHash(hash: string): void {
  if (hashDigestBytes(hash) !== null) return;
  throw new DmError(
    'ENOTSUP',
    `Cannot derive a key: Requested hash ${hash} is not supported, expected one of ${hashNames.join(', ')}`,
  );
}

/** Throws unless these stored parameters can be computed within bounds. */
export function checkStoredPbkdf(pbkdf: Pbkdf): void {
  if (pbkdf.name === 'pbkdf2') {
    checkHash(pbkdf.hash);
    checkRange('iterations', pbkdf.iterations, 1, MAX_PBKDF2_ITERATIONS);
    return;
  }
  checkRange('iterations', pbkdf.iterations, 1, MAX_ARGON2_ITERATIONS);
  checkRange('parallel threads', pbkdf.parallel, 1, MAX_STORED_PARALLEL);
  const minKiB = MIN_KIB_PER_LANE * pbkdf.parallel;
  checkRange('memory in KiB', pbkdf.memoryKiB, minKiB, PBKDF_LIMITS.argon2MaxMemoryKiB);
}

/** Throws, in cryptsetup's words, unless a new key slot may have these. */
export function checkNewPbkdf(pbkdf: Pbkdf): void {
  const { name, iterations, memoryKiB, parallel } = pbkdf;
  const limits = PBKDF_LIMITS;
  const isArgon2 = name !== 'pbkdf2';
  const minIterations = isArgon2 ? limits.argon2MinIterations : limits.pbkdf2MinIterations;
  if (iterations < minIterations) {
    throw refusal(
      `Forced iteration count is too low for ${name} (minimum is ${minIterations}), got ${iterations}`,
    );
  }
  if (isArgon2) {
    const { argon2MinMemoryKiB, argon2MaxMemoryKiB, argon2MaxParallel } = limits;
    if (parallel === 0) throw refusal('Requested PBKDF parallel threads cannot be zero');
    if (memoryKiB < argon2MinMemoryKiB) {
      throw refusal(
        `Forced memory cost is too low for ${name} (minimum is ${argon2MinMemoryKiB} kilobytes), got ${memoryKiB}`,
      );
    }
    if (memoryKiB > argon2MaxMemoryKiB) {
      throw refusal(
        `Requested maximum PBKDF memory cost is too high (maximum is ${argon2MaxMemoryKiB} kilobytes), got ${memoryKiB}`,
      );
    }
    checkRange('parallel threads', parallel, 1, argon2MaxParallel);
  }
  checkStoredPbkdf(pbkdf);
}

function refusal(words: string): DmError {
  return new DmError('EINVAL', `Cannot make a key slot: ${words}`);
}

/** Bounds of what comes from a header beside the parameters. */
export function checkDerivation(pbkdf: Pbkdf, saltBytes: number, keyBytes: number): void {
  const minSaltBytes = pbkdf.name === 'pbkdf2' ? 0 : ARGON2_MIN_SALT_BYTES;
  checkRange('salt bytes', saltBytes, minSaltBytes, MAX_SALT_BYTES);
  checkRange('key bytes', keyBytes, pbkdf.name === 'pbkdf2' ? 1 : 4, MAX_KEY_BYTES);
}
