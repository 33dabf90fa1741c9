/**
 * Key slots on the disk: added, changed, removed. Key material is on the disk before a header names it, and is overwritten once no header
 * names it any more, so that a crash anywhere leaves the old or the new slot.
 */

import { DmError } from '../../base/errors.ts';
import { benchmarkPbkdf } from '../../crypto/kdf/benchmark.ts';
import { PBKDF_DEFAULTS } from '../../crypto/kdf/pbkdf.ts';
import type { Secret } from '../../crypto/secret.ts';
import type { AddKeyRequest } from '../luks/types.ts';
import { type AreaPlace, findAreaGap } from './area-gap.ts';
import { createDigest, findDigest, freeDigestNumber } from './digests.ts';
import type { Luks2Header } from './header.ts';
import type { HeaderStore } from './header-store.ts';
import { checkCipher, wipeArea, writeKey } from './key-material.ts';
import { splitKeyBytes } from './limits.ts';
import { defaultCryptSegment, digestOfKeyslot } from './mapping.ts';
import {
  isPassphraseSlot,
  type Luks2Keyslot,
  type Luks2Metadata,
  type Luks2PassphraseKeyslot,
} from './metadata.ts';
import {
  chooseSlot,
  copyTokenAssignments,
  createSlot,
  dropSlot,
  findSlot,
  insertSlot,
  setPriority,
} from './slot-edit.ts';
import { volumeDigests, wrongKey } from './unlock.ts';
import { assertCurrent } from './write-header.ts';

/** What areas are encrypted with when the volume's own cipher cannot. */
const FALLBACK_AREA = { cipher: 'aes-xts-plain64', keyBytes: 64 } as const;

/** IVs that cryptsetup has for areas: it refuses tcw and the like, and could not open the slot. */
const AREA_IV = /-(?:ecb|null|plain|plain64|plain64be|benbi|eboiv|essiv:[^-]+)$/;

/** Bytes of the volume's keys, as its slots say; 0 without any. */
export function volumeKeyBytes(metadata: Luks2Metadata): number {
  for (const digest of volumeDigests(metadata)) {
    for (const slot of metadata.digests.get(digest)!.keyslots) {
      const keyslot = metadata.keyslots.get(Number(slot));
      if (keyslot && isPassphraseSlot(keyslot)) return keyslot.key_size;
    }
  }
  return 0;
}

/** Adds a slot for the volume's key. */
export async function addKey(
  store: HeaderStore,
  volumeKey: Secret,
  request: AddKeyRequest,
): Promise<number> {
  const digest = await findDigest(store.metadata, volumeKey);
  if (digest === null || !volumeDigests(store.metadata).includes(digest)) throw wrongKey();
  return await addSlot(store, store.draft(), volumeKey, digest, request);
}

/** Adds a slot for another key. Slots for one such key share a digest, as those of a re-encryption's new key must. */
export async function addUnboundKey(
  store: HeaderStore,
  key: Secret,
  request: AddKeyRequest,
): Promise<number> {
  const draft = store.draft();
  const known = await findDigest(draft, key);
  if (known !== null && draft.digests.get(known)!.segments.length === 0) {
    return await addSlot(store, draft, key, known, request);
  }
  const number = freeDigestNumber(draft);
  const { hash = PBKDF_DEFAULTS.hash, forceIterations } = request.pbkdf ?? {};
  draft.digests.set(
    number,
    await createDigest(key, { hash, minimal: forceIterations !== undefined }),
  );
  return await addSlot(store, draft, key, number, request);
}

async function addSlot(
  store: HeaderStore,
  draft: Luks2Metadata,
  key: Secret,
  digest: number,
  request: AddKeyRequest,
): Promise<number> {
  const number = chooseSlot(draft, request.slot);
  const place = choosePlace({ ...store.header, metadata: draft }, key.lengthBytes, store.disk.name);
  const slot = await prepareSlot(place, draft, key, request);
  insertSlot(draft, number, slot, digest);
  await assertCurrent(store.disk, store.header);
  await writeKey(store.disk, slot, request.passphrase, key);
  await store.commit(draft);
  return number;
}

/** Where the area of a new slot goes. Throws DmError ENOSPC. */
export function choosePlace(
  { metadata, headerBytes }: Luks2Header,
  keyBytes: number,
  name: string,
): AreaPlace {
  const place = findAreaGap(metadata, headerBytes, keyBytes);
  if (place) return place;
  throw new DmError(
    'ENOSPC',
    `No space for new keyslot: the key slots area of ${name} has no gap left for a key of ${keyBytes} bytes`,
  );
}

/** Everything of a slot but what is in its area. */
async function prepareSlot(
  place: AreaPlace,
  draft: Luks2Metadata,
  key: Secret,
  request: AddKeyRequest,
): Promise<Luks2PassphraseKeyslot> {
  const area = chooseAreaCipher(draft, key, request);
  const pbkdf = await benchmarkPbkdf(request.pbkdf ?? {}, area.keyBytes);
  const slot = createSlot({
    keyBytes: key.lengthBytes,
    place,
    areaCipher: area.cipher,
    areaKeyBytes: area.keyBytes,
    pbkdf,
    afHash: request.pbkdf?.hash ?? PBKDF_DEFAULTS.hash,
  });
  if (request.priority) setPriority(slot, request.priority);
  return slot;
}

/** What was asked for, else as the volume itself is encrypted, else what always works. */
function chooseAreaCipher(
  metadata: Luks2Metadata,
  key: Secret,
  { areaCipher, areaKeyBytes }: AddKeyRequest,
): { cipher: string; keyBytes: number } {
  if (areaCipher !== undefined) {
    const keyBytes = areaKeyBytes ?? FALLBACK_AREA.keyBytes;
    checkCipher(areaCipher, keyBytes);
    return { cipher: areaCipher, keyBytes };
  }
  const segment = defaultCryptSegment(metadata);
  const keyBytes = volumeKeyBytes(metadata) || key.lengthBytes;
  if (!segment || segment.integrity || !isForAreas(segment.encryption)) {
    return FALLBACK_AREA;
  }
  try {
    checkCipher(segment.encryption, keyBytes);
    return { cipher: segment.encryption, keyBytes };
  } catch (error) {
    if (error instanceof DmError) return FALLBACK_AREA;
    throw error;
  }
}

function isForAreas(cipher: string): boolean {
  return AREA_IV.test(cipher) && !cipher.startsWith('cipher_null');
}

/**
 * Where the material of a changed slot goes: beside the old one, or over it where there is no room beside, as with cryptsetup. Then a crash while it is
 * written leaves neither passphrase; the other slots are as they were.
 */
function placeOfChange(
  { header, disk }: HeaderStore,
  { area }: Luks2Keyslot,
  keyBytes: number,
): AreaPlace {
  const gap = findAreaGap(header.metadata, header.headerBytes, keyBytes);
  const sizeBytes = Number(area.size);
  if (gap || sizeBytes < splitKeyBytes(keyBytes)) return choosePlace(header, keyBytes, disk.name);
  return { offsetBytes: Number(area.offset), sizeBytes };
}

/**
 * A new passphrase for a slot. Without `request.slot`, or with the old one, the number stays; another one must be free. Its tokens and its
 * priority stay with it.
 */
export async function changeKey(
  store: HeaderStore,
  key: Secret,
  oldNumber: number,
  request: AddKeyRequest,
): Promise<number> {
  const draft = store.draft();
  const oldSlot = findSlot(draft, oldNumber);
  const digest = digestOfKeyslot(draft, oldNumber);
  if (digest === null || (await findDigest(draft, key)) !== digest) throw wrongKey();
  const { slot: wanted = oldNumber } = request;
  const number = wanted === oldNumber ? oldNumber : chooseSlot(draft, wanted);
  const place = placeOfChange(store, oldSlot, key.lengthBytes);
  const slot = await prepareSlot(place, draft, key, request);
  if (!request.priority && oldSlot.priority !== undefined) slot.priority = oldSlot.priority;
  if (number !== oldNumber) {
    copyTokenAssignments(draft, oldNumber, number);
    dropSlot(draft, oldNumber);
  }
  insertSlot(draft, number, slot, digest);
  await assertCurrent(store.disk, store.header);
  await writeKey(store.disk, slot, request.passphrase, key);
  await store.commit(draft);
  if (slot.area.offset !== oldSlot.area.offset) await wipeArea(store.disk, oldSlot.area);
  return number;
}

/** Takes slots out of the header, and then overwrites their areas. */
export async function killSlots(store: HeaderStore, numbers: readonly number[]): Promise<void> {
  const draft = store.draft();
  const areas = numbers.map((number) => findSlot(draft, number).area);
  for (const number of numbers) dropSlot(draft, number);
  await store.commit(draft);
  for (const area of areas) await wipeArea(store.disk, area);
}
