/** Changes of metadata around key slots; nothing here touches a disk or a key. */

import { DmError } from '../../base/errors.ts';
import type { Pbkdf } from '../../crypto/kdf/pbkdf.ts';
import type { SlotPriority } from '../luks/types.ts';
import type { AreaPlace } from './area-gap.ts';
import { createKdf } from './kdf.ts';
import { AF_STRIPES, KEYSLOTS_MAX } from './limits.ts';
import type { Luks2Keyslot, Luks2Metadata, Luks2PassphraseKeyslot } from './metadata.ts';
import { setTokenKeyslots, tokenKeyslots } from './tokens.ts';

const PRIORITIES: readonly SlotPriority[] = ['ignore', 'normal', 'prefer'];

export interface NewSlot {
  keyBytes: number;
  place: AreaPlace;
  areaCipher: string;
  areaKeyBytes: number;
  pbkdf: Pbkdf;
  afHash: string;
}

/** Members in cryptsetup's order. */
export function createSlot(slot: NewSlot): Luks2PassphraseKeyslot {
  return {
    type: 'luks2',
    key_size: slot.keyBytes,
    af: { type: 'luks1', stripes: AF_STRIPES, hash: slot.afHash },
    area: {
      type: 'raw',
      offset: String(slot.place.offsetBytes),
      size: String(slot.place.sizeBytes),
      encryption: slot.areaCipher,
      key_size: slot.areaKeyBytes,
    },
    kdf: createKdf(slot.pbkdf),
  };
}

export function priorityOf(slot: Luks2Keyslot): SlotPriority {
  return PRIORITIES[slot.priority ?? 1] ?? 'normal';
}

export function setPriority(slot: Luks2Keyslot, priority: SlotPriority): void {
  if (priority === 'normal') delete slot.priority;
  else slot.priority = PRIORITIES.indexOf(priority);
}

/** The slot of that number. Throws DmError EINVAL. */
export function findSlot(metadata: Luks2Metadata, slot: number): Luks2Keyslot {
  if (!isSlotNumber(slot)) throw new DmError('EINVAL', `Key slot ${slot} is invalid.`);
  const found = metadata.keyslots.get(slot);
  if (!found) throw new DmError('EINVAL', `Keyslot ${slot} is not active.`);
  return found;
}

function isSlotNumber(slot: number): boolean {
  return Number.isInteger(slot) && slot >= 0 && slot < KEYSLOTS_MAX;
}

/** `wanted` if it is free, else the first free one. Throws DmError. */
export function chooseSlot(metadata: Luks2Metadata, wanted: number | undefined): number {
  if (wanted === undefined) {
    for (let slot = 0; slot < KEYSLOTS_MAX; slot += 1)
      if (!metadata.keyslots.has(slot)) return slot;
    throw new DmError('ENOSPC', 'All key slots full.');
  }
  if (!isSlotNumber(wanted)) {
    throw new DmError(
      'EINVAL',
      `Key slot ${wanted} is invalid, please select between 0 and ${KEYSLOTS_MAX - 1}.`,
    );
  }
  if (metadata.keyslots.has(wanted)) {
    throw new DmError('EINVAL', `Key slot ${wanted} is full, please select another one.`);
  }
  return wanted;
}

/** Puts a slot in, behind all others, for the key of that digest. */
export function insertSlot(
  metadata: Luks2Metadata,
  number: number,
  slot: Luks2PassphraseKeyslot,
  digest: number,
): void {
  metadata.keyslots.delete(number);
  metadata.keyslots.set(number, slot);
  const owner = metadata.digests.get(digest)!;
  if (!owner.keyslots.includes(String(number))) owner.keyslots.push(String(number));
}

/** Takes a slot out, and out of everything that names it. */
export function dropSlot(metadata: Luks2Metadata, slot: number): void {
  metadata.keyslots.delete(slot);
  const name = String(slot);
  for (const digest of metadata.digests.values()) {
    digest.keyslots = digest.keyslots.filter((other) => other !== name);
  }
  for (const token of metadata.tokens.values()) {
    const slots = tokenKeyslots(token);
    if (slots.includes(name))
      setTokenKeyslots(
        token,
        slots.filter((other) => other !== name),
      );
  }
}

/** Tokens for the one slot are for the other one too. */
export function copyTokenAssignments(metadata: Luks2Metadata, from: number, to: number): void {
  for (const token of metadata.tokens.values()) {
    const slots = tokenKeyslots(token);
    if (slots.includes(String(from)) && !slots.includes(String(to))) {
      setTokenKeyslots(token, [...slots, String(to)]);
    }
  }
}
