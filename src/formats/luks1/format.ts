/** A new LUKS1 volume, with cryptsetup's defaults and at its places. */

import { DmError } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { parseCipherSpec } from '../../crypto/cipher-spec.ts';
import { createSectorCipher } from '../../crypto/create-sector-cipher.ts';
import { hashDigestBytes } from '../../crypto/hash.ts';
import { PBKDF_DEFAULTS } from '../../crypto/kdf/pbkdf.ts';
import { randomBytes, randomUuid } from '../../crypto/random.ts';
import { Secret } from '../../crypto/secret.ts';
import { wipeWithRandom, wipeWithZeros } from '../luks/key-material.ts';
import { chooseVolumeKey, DEFAULT_CIPHER, fullCipher } from '../luks/new-volume.ts';
import type { FormatRequest } from '../luks/types.ts';
import { parseUuid } from '../luks/uuid.ts';
import { computeDigest } from './digest.ts';
import {
  DIGEST_BYTES,
  type KeySlot,
  type Luks1Header,
  SALT_BYTES,
  SLOT_DISABLED,
} from './header.ts';
import { cipherOf } from './key-slot.ts';
import {
  HEADER_BYTES,
  headerAreaSectors,
  headerEndSectors,
  MAX_KEY_BYTES,
  roundUp,
  SLOT_COUNT,
  slotAreaSectors,
  slotOffsetSectors,
} from './layout.ts';
import { checkDiskSize, chooseIterations, Luks1Volume } from './volume.ts';
import { writeHeader } from './write-header.ts';

const DEFAULT_HASH = 'sha256';
const DEFAULT_ALIGN_BYTES = 1024 * 1024;
/** The digest's share of the time that a key slot takes; and never fewer than so many iterations. */
const DIGEST_MS = 125;
const MIN_DIGEST_ITERATIONS = 1000;

/** Overwrites what was there. Throws DmError EINVAL, ENOTSUP before anything is written. */
export async function formatLuks1(disk: ByteDisk, request: FormatRequest): Promise<Luks1Volume> {
  refuseLuks2Options(request);
  const cipher = fullCipher(request.cipher ?? DEFAULT_CIPHER);
  using volumeKey = chooseVolumeKey(request, cipher, MAX_KEY_BYTES);
  const iterations = await chooseIterations(
    { hash: hashOf(request), keyBytes: volumeKey.lengthBytes },
    request.key.pbkdf,
  );
  const header = await createHeader(request, volumeKey, iterations);
  checkUsable(header);
  checkDiskSize(disk, header);
  checkPayload(header);
  const slot = request.key.slot ?? 0;
  if (!header.slots[slot]) {
    const range = `please select keyslot between 0 and ${SLOT_COUNT - 1}`;
    throw new DmError('EINVAL', `Key slot ${slot} is invalid, ${range}.`);
  }
  await clear(disk, header);
  await writeHeader(disk, null, header, 'enable');
  const volume = new Luks1Volume(disk, header);
  const pbkdf = { forceIterations: iterations };
  await volume.addKey(volumeKey, { passphrase: request.key.passphrase, slot, pbkdf });
  return volume;
}

function refuseLuks2Options(request: FormatRequest): void {
  const { sectorBytes = SECTOR_BYTES } = request;
  if (sectorBytes !== SECTOR_BYTES) {
    throw new DmError('EINVAL', 'Unsupported encryption sector size: LUKS1 has 512 bytes only.');
  }
  const names = ['label', 'subsystem', 'metadataBytes', 'keyslotsBytes'] as const;
  const given = names.find((name) => request[name] !== undefined);
  if (given) throw new DmError('EINVAL', `Cannot format as LUKS1: it has no ${given}`);
}

function hashOf({ hash = DEFAULT_HASH }: FormatRequest): string {
  const digestBytes = hashDigestBytes(hash);
  if (digestBytes !== null && digestBytes >= DIGEST_BYTES) return hash.toLowerCase();
  throw new DmError('EINVAL', `Requested LUKS hash ${hash} is not supported.`);
}

async function createHeader(
  request: FormatRequest,
  volumeKey: Secret,
  iterations: number,
): Promise<Luks1Header> {
  const hash = hashOf(request);
  const keyBytes = volumeKey.lengthBytes;
  const cipher = fullCipher(request.cipher ?? DEFAULT_CIPHER);
  const dash = cipher.indexOf('-');
  const digestIterations = chooseDigestIterations(request, iterations);
  const digestSalt = randomBytes(SALT_BYTES);
  return {
    cipherName: cipher.slice(0, dash),
    cipherMode: cipher.slice(dash + 1),
    ...{ hash, keyBytes, digestSalt, digestIterations },
    payloadSectors: choosePayload(request, keyBytes),
    digest: await computeDigest({ hash, digestIterations, digestSalt }, volumeKey),
    uuid: request.uuid === undefined ? randomUuid() : parseUuid(request.uuid),
    slots: Array.from({ length: SLOT_COUNT }, (_, slot) => emptySlot(slot, keyBytes)),
    padding: new Uint8Array(HEADER_BYTES - 592),
  };
}

function emptySlot(slot: number, keyBytes: number): KeySlot {
  const materialSectors = slotOffsetSectors(slot, keyBytes);
  return { state: SLOT_DISABLED, iterations: 0, salt: new Uint8Array(SALT_BYTES), materialSectors };
}

function chooseDigestIterations({ key }: FormatRequest, iterations: number): number {
  const { forceIterations, iterTimeMs = PBKDF_DEFAULTS.iterTimeMs } = key.pbkdf ?? {};
  if (forceIterations !== undefined) return MIN_DIGEST_ITERATIONS;
  const share = Math.round((iterations * DIGEST_MS) / iterTimeMs);
  return Math.max(share, MIN_DIGEST_ITERATIONS);
}

function choosePayload(request: FormatRequest, keyBytes: number): number {
  const { dataOffsetBytes, alignBytes = DEFAULT_ALIGN_BYTES, detached = false } = request;
  if (dataOffsetBytes !== undefined) return wholeSectors('data offset', dataOffsetBytes);
  if (detached) return 0;
  const alignSectors = wholeSectors('alignment', alignBytes);
  return roundUp(headerAreaSectors(keyBytes), Math.max(alignSectors, 1));
}

function wholeSectors(what: string, bytes: number): number {
  const sectors = bytes / SECTOR_BYTES;
  if (Number.isInteger(sectors) && sectors >= 0 && sectors < 2 ** 32) return sectors;
  throw new DmError(
    'EINVAL',
    `Cannot format as LUKS1: the ${what} is not a number of whole sectors below 2^32: ${bytes} bytes`,
  );
}

function checkPayload({ payloadSectors, slots, keyBytes }: Luks1Header): void {
  const endSectors = headerEndSectors(slots, keyBytes);
  if (payloadSectors === 0 || payloadSectors >= endSectors) return;
  throw new DmError(
    'EINVAL',
    'Data offset for LUKS header must be either 0 or higher than header size. ' +
      `Expected at least ${endSectors} sectors, got ${payloadSectors}`,
  );
}

/** A cipher that cannot be had is told before anything is lost. */
function checkUsable(header: Luks1Header): void {
  using key = Secret.allocate(header.keyBytes);
  // XTS wants two different halves.
  key.bytes.forEach((_, index) => {
    key.bytes[index] = index;
  });
  const cipher = createSectorCipher({
    spec: parseCipherSpec(cipherOf(header)),
    key: key.bytes,
    sectorBytes: SECTOR_BYTES,
    ivLargeSectors: false,
    ivOffset: 0n,
  });
  cipher.close();
}

/** The old header goes first: a crash in the middle leaves nothing that looks whole. */
async function clear(disk: ByteDisk, header: Luks1Header): Promise<void> {
  const { payloadSectors, keyBytes, slots } = header;
  const endSectors = payloadSectors || headerAreaSectors(keyBytes);
  await wipeWithZeros(disk, 0, Math.min(endSectors * SECTOR_BYTES, disk.sizeBytes));
  for (const { materialSectors } of slots) {
    const lengthBytes = slotAreaSectors(keyBytes) * SECTOR_BYTES;
    await wipeWithRandom(disk, materialSectors * SECTOR_BYTES, lengthBytes);
  }
}
