/**
 * A LUKS2 header becomes a LUKS1 header, if that can say all of it. The key slots stay where they are; those that are not in use get
 * a place too, which LUKS1 wants. Order:
 *
 * 1. the second sector of the LUKS1 header, into the first LUKS2 copy: that one is damaged now, and the second one counts;
 * 2. the first sector: from here on it is LUKS1;
 * 3. zeros over the rest of both copies.
 */

import { DmError } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import {
  DIGEST_BYTES,
  decodeHeader,
  encodeHeader,
  type KeySlot,
  type Luks1Header,
  SALT_BYTES,
  SLOT_DISABLED,
  SLOT_ENABLED,
} from '../luks1/header.ts';
import {
  HEADER_BYTES,
  roundUp,
  SLOT_ALIGN_SECTORS,
  SLOT_COUNT,
  STRIPES,
  slotAreaSectors,
  slotOffsetSectors,
} from '../luks1/layout.ts';
import { writeHeader } from '../luks1/write-header.ts';
import { fromBase64 } from '../luks2/base64.ts';
import { keyslotsOffsetBytes, type Luks2Header } from '../luks2/header.ts';
import {
  isCryptSegment,
  isPassphraseSlot,
  isPbkdf2,
  isPbkdf2Digest,
  type Luks2CryptSegment,
  type Luks2Keyslot,
  type Luks2Metadata,
  type Luks2PassphraseKeyslot,
  type Luks2Pbkdf2,
  type Luks2Pbkdf2Digest,
} from '../luks2/metadata.ts';
import { readHeader } from '../luks2/read-header.ts';
import { repairHeader } from '../luks2/write-header.ts';
import { wipeWithZeros } from './key-material.ts';

export async function convertToLuks1(disk: ByteDisk): Promise<void> {
  const before = await readHeader(disk);
  const after = plan(disk, before);
  // Both copies must be right before the first one goes.
  await repairHeader(disk);
  await writeHeader(disk, null, after, 'enable');
  await wipeWithZeros(disk, HEADER_BYTES, keyslotsOffsetBytes(before) - HEADER_BYTES);
}

function refuse(reason: string): DmError {
  return new DmError('EINVAL', `Cannot convert to LUKS1 format - ${reason}`);
}

function plan(disk: ByteDisk, { metadata, uuid }: Luks2Header): Luks1Header {
  const segment = onlySegment(metadata);
  const digest = onlyDigest(metadata);
  refuseOthers(metadata);
  const slots = [...metadata.keyslots].map(
    ([index, slot]) => [index, compatibleSlot(index, slot, segment, digest)] as const,
  );
  const first = slots[0]?.[1];
  if (!first) throw refuse('there is no key slot, and so no size of the volume key.');
  const payloadSectors = Number(segment.offset) / SECTOR_BYTES;
  if (payloadSectors >= 2 ** 32) throw refuse('data begin behind 2 TiB.');
  const dash = segment.encryption.indexOf('-');
  const hasMode = dash >= 0;
  const header: Luks1Header = {
    cipherName: hasMode ? segment.encryption.slice(0, dash) : segment.encryption,
    cipherMode: hasMode ? segment.encryption.slice(dash + 1) : '',
    ...{ hash: digest.hash, payloadSectors, keyBytes: first.key_size, uuid },
    digest: fromBase64(digest.digest).slice(0, DIGEST_BYTES),
    digestSalt: fromBase64(digest.salt),
    digestIterations: digest.iterations,
    slots: placeSlots(disk, new Map(slots), payloadSectors, first.key_size),
    padding: new Uint8Array(HEADER_BYTES - 592),
  };
  return decodeHeader(encodeHeader(header));
}

function onlySegment({ segments, config }: Luks2Metadata): Luks2CryptSegment {
  if ((config.requirements?.mandatory ?? []).length > 0) {
    throw new DmError(
      'EINVAL',
      'Operation incompatible with device marked for LUKS2 reencryption. Aborting.',
    );
  }
  const [segment, ...others] = segments.values();
  if (!segment || others.length > 0) throw refuse('device uses more segments.');
  const isWhole = isCryptSegment(segment) && segment.size === 'dynamic' && !segment.integrity;
  if (!isWhole || segment.iv_tweak !== '0') {
    throw refuse('LUKS1 has one encrypted segment up to the end of the device.');
  }
  if (segment.sector_size !== SECTOR_BYTES) {
    throw refuse('default segment encryption sector size is not 512 bytes.');
  }
  // capi: and keyless ciphers; LUKS1 keeps a name and a mode.
  if (segment.encryption.startsWith('capi:')) {
    throw refuse(`device uses wrapped key cipher ${segment.encryption}.`);
  }
  return segment;
}

function onlyDigest({ digests }: Luks2Metadata): Luks2Pbkdf2Digest {
  const [digest, ...others] = digests.values();
  const isLuks1s =
    digest &&
    others.length === 0 &&
    isPbkdf2Digest(digest) &&
    fromBase64(digest.digest).byteLength >= DIGEST_BYTES &&
    fromBase64(digest.salt).byteLength === SALT_BYTES;
  if (isLuks1s) return digest;
  throw refuse('key slot digests are not LUKS1 compatible.');
}

function refuseOthers({ tokens, keyslots }: Luks2Metadata): void {
  if (tokens.size > 0) throw refuse(`LUKS2 header contains ${tokens.size} token(s).`);
  for (const index of keyslots.keys()) {
    if (index >= SLOT_COUNT) {
      throw refuse(`slot ${index} (over maximum slots) is still active.`);
    }
  }
}

/** One hash for all, PBKDF2, and key material encrypted as the data are. */
function compatibleSlot(
  index: number,
  slot: Luks2Keyslot,
  segment: Luks2CryptSegment,
  digest: Luks2Pbkdf2Digest,
): Luks2PassphraseKeyslot & { kdf: Luks2Pbkdf2 } {
  if (isPassphraseSlot(slot) && isPbkdf2(slot.kdf)) {
    const { kdf, af, area, key_size } = slot;
    const isRight =
      kdf.hash === digest.hash &&
      af.hash === digest.hash &&
      af.stripes === STRIPES &&
      fromBase64(kdf.salt).byteLength === SALT_BYTES &&
      area.encryption === segment.encryption &&
      area.key_size === key_size &&
      Number(area.offset) % SECTOR_BYTES === 0 &&
      digest.keyslots.includes(String(index));
    if (isRight) return { ...slot, kdf };
  }
  throw refuse(`keyslot ${index} is not LUKS1 compatible.`);
}

function placeSlots(
  disk: ByteDisk,
  active: ReadonlyMap<number, Luks2PassphraseKeyslot & { kdf: Luks2Pbkdf2 }>,
  payloadSectors: number,
  keyBytes: number,
): KeySlot[] {
  const limitSectors = payloadSectors || Math.floor(disk.sizeBytes / SECTOR_BYTES);
  const areaSectors = slotAreaSectors(keyBytes);
  const taken = [...active.values()].map(({ area }) => Number(area.offset) / SECTOR_BYTES);
  return Array.from({ length: SLOT_COUNT }, (_, index): KeySlot => {
    const slot = active.get(index);
    if (slot && slot.key_size !== keyBytes) {
      throw refuse(`keyslot ${index} is not LUKS1 compatible.`);
    }
    if (slot) {
      const { kdf, area } = slot;
      const materialSectors = Number(area.offset) / SECTOR_BYTES;
      const salt = fromBase64(kdf.salt);
      return { state: SLOT_ENABLED, iterations: kdf.iterations, salt, materialSectors };
    }
    const materialSectors = firstGap(taken, areaSectors, limitSectors, keyBytes);
    taken.push(materialSectors);
    return {
      state: SLOT_DISABLED,
      iterations: 0,
      salt: new Uint8Array(SALT_BYTES),
      materialSectors,
    };
  });
}

/** The lowest place of a slot that is no other's. */
function firstGap(
  taken: readonly number[],
  areaSectors: number,
  limitSectors: number,
  keyBytes: number,
): number {
  const starts = [slotOffsetSectors(0, keyBytes), ...taken.map((start) => start + areaSectors)]
    .map((start) => roundUp(start, SLOT_ALIGN_SECTORS))
    .sort((a, b) => a - b);
  const isGap = (start: number) =>
    start + areaSectors <= limitSectors &&
    taken.every((other) => other + areaSectors <= start || other >= start + areaSectors);
  const start = starts.find(isGap);
  if (start !== undefined) return start;
  throw new DmError(
    'ENOSPC',
    `Cannot convert to LUKS1 format - Not enough space in header keyslot area: LUKS1 has ${SLOT_COUNT} key slots, in use or not`,
  );
}
