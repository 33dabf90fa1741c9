/** Digests: how a volume key is recognised. PBKDF2 over the key itself. */

import { DmError } from '../../base/errors.ts';
import { hashDigestBytes } from '../../crypto/hash.ts';
import { benchmarkPbkdf } from '../../crypto/kdf/benchmark.ts';
import { deriveKey } from '../../crypto/kdf/derive-key.ts';
import { PBKDF_LIMITS, type Pbkdf } from '../../crypto/kdf/pbkdf.ts';
import { randomBytes } from '../../crypto/random.ts';
import type { Secret } from '../../crypto/secret.ts';
import { fromBase64, toBase64 } from './base64.ts';
import { DIGESTS_MAX, KDF_SALT_BYTES } from './limits.ts';
import { isPbkdf2Digest, type Luks2Digest, type Luks2Metadata } from './metadata.ts';

/** What cryptsetup spends on a digest. */
const DIGEST_TIME_MS = 125;

function pbkdf2(hash: string, iterations: number): Pbkdf {
  return { name: 'pbkdf2', hash, iterations, memoryKiB: 0, parallel: 0 };
}

/** Whether it is this digest's key. false also for a digest of a type that we do not know. */
export async function matchesDigest(digest: Luks2Digest, key: Secret): Promise<boolean> {
  if (!isPbkdf2Digest(digest)) return false;
  const expected = fromBase64(digest.digest);
  using computed = await deriveKey(
    pbkdf2(digest.hash, digest.iterations),
    key,
    fromBase64(digest.salt),
    expected.length,
  );
  let difference = 0;
  for (let i = 0; i < expected.length; i += 1) difference |= expected[i]! ^ computed.bytes[i]!;
  return difference === 0;
}

/** The number of the digest that the key matches; null: none. */
export async function findDigest(metadata: Luks2Metadata, key: Secret): Promise<number | null> {
  for (const [number, digest] of metadata.digests) {
    if (await matchesDigest(digest, key)) return number;
  }
  return null;
}

export interface DigestOptions {
  hash: string;
  /** As few iterations as allowed instead of a measured number: cryptsetup does that when a slot's are forced. */
  minimal: boolean;
}

/** For a key of which nothing is known yet; names no slot and no segment. */
export async function createDigest(
  key: Secret,
  { hash, minimal }: DigestOptions,
): Promise<Luks2Digest> {
  const digestBytes = hashDigestBytes(hash);
  if (digestBytes === null) throw new DmError('ENOTSUP', `Hash algorithm ${hash} is not available`);
  const pbkdf = minimal
    ? pbkdf2(hash, PBKDF_LIMITS.pbkdf2MinIterations)
    : await benchmarkPbkdf({ name: 'pbkdf2', hash, iterTimeMs: DIGEST_TIME_MS }, key.lengthBytes);
  const salt = randomBytes(KDF_SALT_BYTES);
  using digest = await deriveKey(pbkdf, key, salt, digestBytes);
  return {
    type: 'pbkdf2',
    keyslots: [],
    segments: [],
    hash,
    iterations: pbkdf.iterations,
    salt: toBase64(salt),
    digest: toBase64(digest.bytes),
  };
}

/** Throws ENOSPC when all numbers are taken. */
export function freeDigestNumber(metadata: Luks2Metadata): number {
  for (let number = 0; number < DIGESTS_MAX; number += 1) {
    if (!metadata.digests.has(number)) return number;
  }
  throw new DmError('ENOSPC', `Cannot add a digest: all ${DIGESTS_MAX} are in use`);
}

/** Those that neither a slot nor a segment has any more. */
export function dropUnusedDigests(metadata: Luks2Metadata): void {
  for (const [number, { keyslots, segments }] of metadata.digests) {
    if (keyslots.length === 0 && segments.length === 0) metadata.digests.delete(number);
  }
}
