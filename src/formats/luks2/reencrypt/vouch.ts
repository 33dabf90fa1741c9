/** The digest of the re-encryption key slot: made whenever the slot changes, checked before anything it says is done. */

import { DmError } from '../../../base/errors.ts';
import { derivePbkdf2 } from '../../../crypto/kdf/pbkdf2.ts';
import { randomBytes } from '../../../crypto/random.ts';
import { Secret } from '../../../crypto/secret.ts';
import { DIGESTS_MAX, KDF_SALT_BYTES } from '../limits.ts';
import { isPbkdf2Digest, type Luks2Metadata, type Luks2Pbkdf2Digest } from '../metadata.ts';
import type { ReencryptState } from './state.ts';
import type { ReencryptKeys } from './types.ts';
import { verificationData } from './verification.ts';

const HASH = 'sha256';
const DIGEST_BYTES = 32;
/** Volume keys are random, which no iterations make safer; cryptsetup's least. */
const MIN_ITERATIONS = 1000;

type Vouched = Pick<ReencryptState, 'old' | 'new' | 'version' | 'slot'>;

/** Adds the digest to the metadata, in place of the one before. */
export async function vouch(
  metadata: Luks2Metadata,
  state: Vouched,
  keys: ReencryptKeys,
): Promise<void> {
  const number = digestOfSlot(metadata, state.slot)?.[0] ?? freeDigest(metadata);
  const salt = randomBytes(KDF_SALT_BYTES);
  const iterations = usualIterations(metadata);
  using digest = await derive(
    metadata,
    state,
    keys,
    { hash: HASH, iterations, salt },
    DIGEST_BYTES,
  );
  metadata.digests.set(number, {
    type: 'pbkdf2',
    keyslots: [String(state.slot)],
    segments: [],
    hash: HASH,
    iterations,
    salt: Buffer.from(salt).toString('base64'),
    digest: Buffer.from(digest.bytes).toString('base64'),
  });
}

/** Throws DmError EINVAL unless the metadata are those that somebody with these keys wrote. */
export async function checkVouched(
  metadata: Luks2Metadata,
  state: Vouched,
  keys: ReencryptKeys,
): Promise<void> {
  const stored = digestOfSlot(metadata, state.slot)?.[1];
  if (!stored || state.version < 2) {
    throw new DmError(
      'ENOTSUP',
      'Cannot continue re-encryption: its metadata have no digest, as cryptsetup before 2.4.3 wrote them; run "cryptsetup repair" first',
    );
  }
  const wanted = Buffer.from(stored.digest, 'base64');
  const salt = Buffer.from(stored.salt, 'base64');
  const { hash, iterations } = stored;
  using found = await derive(metadata, state, keys, { hash, iterations, salt }, wanted.byteLength);
  if (Buffer.compare(wanted, found.bytes) !== 0) {
    throw new DmError(
      'EINVAL',
      'Cannot continue re-encryption: Reencryption metadata is invalid, or a volume key is not theirs',
    );
  }
}

interface Parameters {
  hash: string;
  iterations: number;
  salt: Uint8Array;
}

async function derive(
  metadata: Luks2Metadata,
  state: Vouched,
  keys: ReencryptKeys,
  { hash, iterations, salt }: Parameters,
  lengthBytes: number,
): Promise<Secret> {
  using data = verificationData(metadata, state, keys);
  const digest = Secret.allocate(lengthBytes);
  const pbkdf = { name: 'pbkdf2', hash, iterations, memoryKiB: 0, parallel: 0 } as const;
  await derivePbkdf2(pbkdf, data, salt, digest);
  return digest;
}

function digestOfSlot(metadata: Luks2Metadata, slot: number): [number, Luks2Pbkdf2Digest] | null {
  for (const [number, digest] of metadata.digests) {
    if (isPbkdf2Digest(digest) && digest.keyslots.includes(String(slot))) return [number, digest];
  }
  return null;
}

function freeDigest(metadata: Luks2Metadata): number {
  for (let number = 0; number < DIGESTS_MAX; number += 1) {
    if (!metadata.digests.has(number)) return number;
  }
  throw new DmError('ENOSPC', 'Cannot re-encrypt: all digests are in use');
}

function usualIterations(metadata: Luks2Metadata): number {
  const found = [...metadata.digests.values()].filter(isPbkdf2Digest);
  return Math.max(MIN_ITERATIONS, ...found.map((digest) => digest.iterations));
}
