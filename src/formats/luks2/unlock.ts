/** From a passphrase to a volume key: which slots are tried, in which order, and how a key is recognised. */

import { DmError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { Secret } from '../../crypto/secret.ts';
import type { Unlocked, UnlockOptions } from '../luks/types.ts';
import { findDigest, matchesDigest } from './digests.ts';
import { readKey } from './key-material.ts';
import { defaultSegment, digestOfKeyslot, digestOfSegment } from './mapping.ts';
import { isPassphraseSlot, type Luks2Metadata, type Luks2PassphraseKeyslot } from './metadata.ts';
import { findSlot, priorityOf } from './slot-edit.ts';

export interface Luks2UnlockOptions extends UnlockOptions {
  /** Only slots whose key has this digest; for volumes in re-encryption, which have two. */
  digest?: number;
}

/**
 * A named slot is tried whatever its priority and whether or not its key is the volume's. Throws DmError ENOENT when there is no slot to try,
 * EPERM when none of them opens.
 */
export async function unlock(
  disk: ByteDisk,
  metadata: Luks2Metadata,
  passphrase: Secret,
  options: Luks2UnlockOptions = {},
): Promise<Unlocked> {
  const slots = candidates(metadata, options);
  if (slots.length === 0) throw new DmError('ENOENT', 'No usable keyslot is available.');
  const failures: DmError[] = [];
  for (const [number, slot] of slots) {
    options.signal?.throwIfAborted();
    try {
      const volumeKey = await trySlot(disk, metadata, number, slot, passphrase, options.signal);
      if (volumeKey) return { slot: number, volumeKey };
    } catch (error) {
      // A slot that asks for what we do not have (a hash, memory) keeps no other one from being tried.
      if (!(error instanceof DmError) || !isSlotsOwn(error)) throw error;
      failures.push(error);
    }
  }
  if (failures.length === slots.length) throw failures[0]!;
  throw new DmError('EPERM', 'No key available with this passphrase.');
}

function isSlotsOwn({ code }: DmError): boolean {
  return code === 'ENOTSUP' || code === 'ENOENT' || code === 'ENOMEM' || code === 'EINVAL';
}

async function trySlot(
  disk: ByteDisk,
  metadata: Luks2Metadata,
  number: number,
  slot: Luks2PassphraseKeyslot,
  passphrase: Secret,
  signal: AbortSignal | undefined,
): Promise<Secret | null> {
  const digest = metadata.digests.get(digestOfKeyslot(metadata, number) ?? -1);
  if (!digest) return null;
  const key = await readKey(disk, slot, passphrase, signal);
  let right = false;
  try {
    right = await matchesDigest(digest, key);
  } finally {
    if (!right) key.wipe();
  }
  return right ? key : null;
}

function candidates(
  metadata: Luks2Metadata,
  options: Luks2UnlockOptions,
): [number, Luks2PassphraseKeyslot][] {
  if (options.slot !== undefined) {
    const slot = findSlot(metadata, options.slot);
    return isPassphraseSlot(slot) ? [[options.slot, slot]] : [];
  }
  const digests = options.digest !== undefined ? [options.digest] : volumeDigests(metadata);
  const usable = [...metadata.keyslots].filter((entry): entry is [number, Luks2PassphraseKeyslot] =>
    isPassphraseSlot(entry[1]),
  );
  const rank = ([number, slot]: [number, Luks2PassphraseKeyslot]) => [
    priorityOf(slot) === 'prefer' ? 0 : 1,
    digests.indexOf(digestOfKeyslot(metadata, number) ?? -1),
    number,
  ];
  return usable
    .filter((entry) => priorityOf(entry[1]) !== 'ignore' && rank(entry)[1] !== -1)
    .sort((one, other) => compare(rank(one), rank(other)));
}

function compare(one: readonly number[], other: readonly number[]): number {
  for (let i = 0; i < one.length; i += 1) if (one[i] !== other[i]) return one[i]! - other[i]!;
  return 0;
}

/** Digests of keys that open data; that of the default segment first. */
export function volumeDigests(metadata: Luks2Metadata): number[] {
  const first = digestOfSegment(metadata, defaultSegment(metadata)[0]);
  const others = [...metadata.digests]
    .filter(([number, { segments }]) => segments.length > 0 && number !== first)
    .map(([number]) => number);
  return first === null ? others : [first, ...others];
}

/** Checks a volume key that somebody brought; answers a copy of it. Throws DmError EPERM. */
export async function unlockWithKey(metadata: Luks2Metadata, key: Secret): Promise<Unlocked> {
  const digest = await findDigest(metadata, key);
  if (digest === null || !volumeDigests(metadata).includes(digest)) throw wrongKey();
  return { slot: null, volumeKey: Secret.from(key.bytes) };
}

export function wrongKey(): DmError {
  return new DmError('EPERM', 'Volume key does not match the volume.');
}
