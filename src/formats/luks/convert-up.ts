/**
 * A LUKS1 header becomes a LUKS2 header. Its two copies take the first 32 KiB, where LUKS1 has the key material of slot 0. Order:
 *
 * 1. an active slot in those 32 KiB: its material is copied to a free place, then one sector of the LUKS1 header names that;
 * 2. the second copy of the LUKS2 header, where nothing is needed any more; the LUKS1 header is whole until here;
 * 3. the first sector of the first copy: from here on it is LUKS2, and the second copy counts;
 * 4. the rest of the first copy;
 * 5. random bytes over the old place of step 1.
 */

import { DmError } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { randomBytes } from '../../crypto/random.ts';
import {
  decodeHeader,
  encodeHeader,
  isActive,
  isFree,
  type KeySlot,
  type Luks1Header,
} from '../luks1/header.ts';
import { cipherOf } from '../luks1/key-slot.ts';
import { headerEndSectors, roundUp, STRIPES, slotMaterialBytes } from '../luks1/layout.ts';
import { openLuks1 } from '../luks1/volume.ts';
import { writeHeader } from '../luks1/write-header.ts';
import { toBase64 } from '../luks2/base64.ts';
import {
  BINARY_HEADER_BYTES,
  CHECKSUM_BYTES,
  type CopyName,
  SALT_BYTES,
} from '../luks2/binary-header.ts';
import { encodeCopy, encodeMetadata } from '../luks2/header-copy.ts';
import { AREA_ALIGNMENT_BYTES, KEYSLOTS_AREA_MAX_BYTES } from '../luks2/limits.ts';
import type { Luks2Keyslot, Luks2Metadata } from '../luks2/metadata.ts';
import { SECTION_NAMES } from '../luks2/metadata.ts';
import { wipeWithRandom } from './key-material.ts';

const COPY_BYTES = 16 * 1024;
/** Key slots of LUKS2 begin behind both copies. */
const AREA_START_BYTES = 2 * COPY_BYTES;
const FIRST_SEQUENCE_ID = 2n;
const LUKSMETA_MAGIC = 'LUKSMETA';

interface Range {
  startBytes: number;
  endBytes: number;
}

export async function convertToLuks2(disk: ByteDisk): Promise<void> {
  const { header: before } = await openLuks1(disk);
  await refuseLuksMeta(disk, before);
  const area = areaOf(disk, before);
  const after = planMoves(before, area);
  const copies = await encodeCopies(after, area);
  const moved = before.slots.filter((slot, index) => isActive(slot) && slot !== after.slots[index]);
  for (const slot of moved) await move(disk, before, slot, after);
  if (moved.length > 0) await writeHeader(disk, before, after, 'enable');
  await writeCopies(disk, copies);
  for (const slot of moved) await wipeOldPlace(disk, rangeOf(slot, before));
}

/** A program of that name keeps its own data behind the key slots, and would not find them again. */
async function refuseLuksMeta(disk: ByteDisk, { slots, keyBytes }: Luks1Header): Promise<void> {
  const at = roundUp(headerEndSectors(slots, keyBytes) * SECTOR_BYTES, AREA_ALIGNMENT_BYTES);
  if (at + LUKSMETA_MAGIC.length > disk.sizeBytes) return;
  const found = await disk.read(at, LUKSMETA_MAGIC.length);
  if (String.fromCharCode(...found) !== LUKSMETA_MAGIC) return;
  throw new DmError('EINVAL', 'Unable to convert header with LUKSMETA additional metadata.');
}

/** From behind the copies to the data, or to the end of a detached header. */
function areaOf(disk: ByteDisk, { payloadSectors }: Luks1Header): Range {
  const dataBytes = payloadSectors * SECTOR_BYTES || disk.sizeBytes;
  const limitBytes = Math.min(dataBytes, disk.sizeBytes);
  const room = Math.min(limitBytes - AREA_START_BYTES, KEYSLOTS_AREA_MAX_BYTES);
  const sizeBytes = Math.floor(room / AREA_ALIGNMENT_BYTES) * AREA_ALIGNMENT_BYTES;
  return { startBytes: AREA_START_BYTES, endBytes: AREA_START_BYTES + Math.max(sizeBytes, 0) };
}

function rangeOf({ materialSectors }: KeySlot, { keyBytes }: Luks1Header): Range {
  const startBytes = materialSectors * SECTOR_BYTES;
  return { startBytes, endBytes: startBytes + slotMaterialBytes(keyBytes) };
}

const isInside = (inner: Range, outer: Range) =>
  inner.startBytes >= outer.startBytes && inner.endBytes <= outer.endBytes;

/** The LUKS1 header with every active slot where LUKS2 may have it. Each step changes one sector of it. */
function planMoves(before: Luks1Header, area: Range): Luks1Header {
  return before.slots.reduce<Luks1Header>((header, slot, index) => {
    if (!isActive(slot) || isInside(rangeOf(slot, header), area)) return header;
    const moved = moveToGap(header, index, area) ?? swapWithFree(header, index, area);
    if (moved && changesOneSector(before, moved)) return moved;
    throw new DmError(
      'ENOSPC',
      `Unable to move keyslot area. Not enough space. Key slot ${index} lies where the LUKS2 header will be, ` +
        'and there is no other place for it; kill one of the slots 1 to 5 and convert again',
    );
  }, before);
}

function withPlace(header: Luks1Header, index: number, materialSectors: number): Luks1Header {
  const slot = { ...header.slots[index]!, materialSectors };
  return { ...header, slots: header.slots.with(index, slot) };
}

/** Where no slot has a place, in use or not. */
function moveToGap(header: Luks1Header, index: number, area: Range): Luks1Header | null {
  const taken = header.slots.map((slot) => rangeOf(slot, header));
  const starts = [area.startBytes, ...taken.map(({ endBytes }) => endBytes)];
  for (const start of starts) {
    const materialSectors = roundUp(start, AREA_ALIGNMENT_BYTES) / SECTOR_BYTES;
    const moved = withPlace(header, index, materialSectors);
    const range = rangeOf(moved.slots[index]!, header);
    const isFreePlace = taken.every(
      (other) => other.endBytes <= range.startBytes || other.startBytes >= range.endBytes,
    );
    if (isFreePlace && isInside(range, area)) return moved;
  }
  return null;
}

/** A slot that is not in use has a place all the same; the two change places. */
function swapWithFree(header: Luks1Header, index: number, area: Range): Luks1Header | null {
  const { materialSectors } = header.slots[index]!;
  for (const [other, slot] of header.slots.entries()) {
    if (!isFree(slot) || !isInside(rangeOf(slot, header), area)) continue;
    const moved = withPlace(header, index, slot.materialSectors);
    const swapped = withPlace(moved, other, materialSectors);
    if (changesOneSector(header, swapped)) return swapped;
  }
  return null;
}

function changesOneSector(before: Luks1Header, after: Luks1Header): boolean {
  const [old, now] = [encodeHeader(before), encodeHeader(after)];
  decodeHeader(now);
  const isChanged = (from: number) =>
    now.subarray(from, from + SECTOR_BYTES).some((byte, index) => byte !== old[from + index]);
  return !(isChanged(0) && isChanged(SECTOR_BYTES));
}

/** Copies the material as it is: its encryption counts sectors from its own start. */
async function move(
  disk: ByteDisk,
  before: Luks1Header,
  slot: KeySlot,
  after: Luks1Header,
): Promise<void> {
  const from = rangeOf(slot, before);
  const to = rangeOf(after.slots[before.slots.indexOf(slot)]!, after);
  const material = await disk.read(from.startBytes, from.endBytes - from.startBytes);
  await disk.write(to.startBytes, material);
  await disk.flush();
}

async function wipeOldPlace(disk: ByteDisk, { endBytes }: Range): Promise<void> {
  await wipeWithRandom(disk, AREA_START_BYTES, Math.max(endBytes - AREA_START_BYTES, 0));
}

async function writeCopies(disk: ByteDisk, copies: Record<CopyName, Uint8Array>): Promise<void> {
  await disk.write(COPY_BYTES, copies.secondary);
  await disk.flush();
  const first = Math.max(disk.sectorBytes, SECTOR_BYTES);
  await disk.write(0, copies.primary.subarray(0, first));
  await disk.flush();
  await disk.write(first, copies.primary.subarray(first));
  await disk.flush();
}

async function encodeCopies(
  header: Luks1Header,
  area: Range,
): Promise<Record<CopyName, Uint8Array>> {
  const json = encodeMetadata(metadataOf(header, area), COPY_BYTES - BINARY_HEADER_BYTES);
  const encode = (name: CopyName, offsetBytes: number) => {
    const binary = {
      ...{ headerBytes: COPY_BYTES, sequenceId: FIRST_SEQUENCE_ID, uuid: header.uuid },
      ...{ label: '', subsystem: '', checksumAlgorithm: 'sha256', offsetBytes },
      salt: randomBytes(SALT_BYTES),
      checksum: new Uint8Array(CHECKSUM_BYTES),
    };
    return encodeCopy(binary, json, name);
  };
  return { primary: await encode('primary', 0), secondary: await encode('secondary', COPY_BYTES) };
}

function metadataOf(header: Luks1Header, area: Range): Luks2Metadata {
  const { hash, digest, digestSalt, digestIterations, payloadSectors } = header;
  const active = [...header.slots.entries()].filter(([, slot]) => isActive(slot));
  return {
    keyslots: new Map(active.map(([index, slot]) => [index, keyslotOf(header, slot, area)])),
    tokens: new Map(),
    segments: new Map([
      [
        0,
        {
          type: 'crypt',
          offset: String(payloadSectors * SECTOR_BYTES),
          iv_tweak: '0',
          size: 'dynamic',
          encryption: cipherOf(header),
          sector_size: SECTOR_BYTES,
        },
      ],
    ]),
    digests: new Map([
      [
        0,
        {
          type: 'pbkdf2',
          keyslots: active.map(([index]) => String(index)),
          segments: ['0'],
          hash,
          salt: toBase64(digestSalt),
          digest: toBase64(digest),
          iterations: digestIterations,
        },
      ],
    ]),
    config: {
      json_size: String(COPY_BYTES - BINARY_HEADER_BYTES),
      keyslots_size: String(area.endBytes - area.startBytes),
    },
    others: new Map(),
    order: SECTION_NAMES,
  };
}

function keyslotOf(header: Luks1Header, slot: KeySlot, area: Range): Luks2Keyslot {
  const { hash, keyBytes } = header;
  const { startBytes } = rangeOf(slot, header);
  const nextBytes = header.slots
    .filter(isActive)
    .map((other) => rangeOf(other, header).startBytes)
    .filter((start) => start > startBytes);
  const wantedBytes = roundUp(slotMaterialBytes(keyBytes), AREA_ALIGNMENT_BYTES);
  const sizeBytes = Math.min(wantedBytes, Math.min(area.endBytes, ...nextBytes) - startBytes);
  return {
    type: 'luks2',
    key_size: keyBytes,
    kdf: { type: 'pbkdf2', hash, iterations: slot.iterations, salt: toBase64(slot.salt) },
    af: { type: 'luks1', hash, stripes: STRIPES },
    area: {
      type: 'raw',
      encryption: cipherOf(header),
      key_size: keyBytes,
      offset: String(startBytes),
      size: String(sizeBytes),
    },
  };
}
