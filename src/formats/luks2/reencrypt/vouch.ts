/** The digest of the re-encryption key slot: made whenever the slot changes, checked before anything it says is done. */

import { DmError } from '../../../base/errors.ts';
import { createDigest, freeDigestNumber, matchesDigest } from '../digests.ts';
import { digestOfKeyslot } from '../mapping.ts';
import type { Luks2Metadata } from '../metadata.ts';
import type { ReencryptState } from './state.ts';
import type { ReencryptKeys } from './types.ts';
import { verificationData } from './verification.ts';

type Vouched = Pick<ReencryptState, 'old' | 'new' | 'version' | 'slot'>;

/** Adds the digest to the metadata, in place of the one before. */
export async function vouch(
  metadata: Luks2Metadata,
  state: Vouched,
  keys: ReencryptKeys,
): Promise<void> {
  const number = digestOfKeyslot(metadata, state.slot) ?? freeDigestNumber(metadata);
  using data = verificationData(metadata, state, keys);
  // Volume keys are random: no number of iterations makes guessing them harder.
  const digest = await createDigest(data, { hash: 'sha256', minimal: true });
  digest.keyslots = [String(state.slot)];
  metadata.digests.set(number, digest);
}

/** Throws DmError EINVAL unless the metadata are those that somebody with these keys wrote. */
export async function checkVouched(
  metadata: Luks2Metadata,
  state: Vouched,
  keys: ReencryptKeys,
): Promise<void> {
  const number = digestOfKeyslot(metadata, state.slot);
  const digest = number === null ? undefined : metadata.digests.get(number);
  if (!digest || state.version < 2) {
    throw new DmError(
      'ENOTSUP',
      'Cannot continue re-encryption: its metadata have no digest, as cryptsetup before 2.4.3 wrote them; run "cryptsetup repair" first',
    );
  }
  using data = verificationData(metadata, state, keys);
  if (await matchesDigest(digest, data)) return;
  throw new DmError(
    'EINVAL',
    'Cannot continue re-encryption: Reencryption metadata is invalid, or a volume key is not theirs',
  );
}
