/** A new LUKS2 volume, with cryptsetup's defaults, at its places and in its words. */

import { DmError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { PBKDF_DEFAULTS } from '../../crypto/kdf/pbkdf.ts';
import { randomBytes, randomUuid } from '../../crypto/random.ts';
import type { Secret } from '../../crypto/secret.ts';
import { wipeWithRandom, wipeWithZeros } from '../luks/key-material.ts';
import { chooseVolumeKey, DEFAULT_CIPHER, fullCipher, isNullCipher } from '../luks/new-volume.ts';
import type { AddKeyRequest, FormatRequest } from '../luks/types.ts';
import { parseUuid } from '../luks/uuid.ts';
import { BINARY_HEADER_BYTES, SALT_BYTES } from './binary-header.ts';
import { createDigest } from './digests.ts';
import { chooseLayout, type Layout } from './format-layout.ts';
import type { Luks2Header } from './header.ts';
import { encodeMetadata } from './header-copy.ts';
import { checkCipher } from './key-material.ts';
import { KEY_MAX_BYTES } from './limits.ts';
import { type Luks2Metadata, SECTION_NAMES } from './metadata.ts';
import { chooseSlot } from './slot-edit.ts';
import { choosePlace } from './slots.ts';
import { Luks2OnDisk } from './volume.ts';
import { writeNewHeader } from './write-header.ts';

const FIRST_SEQUENCE_ID = 1n;
const CHECKSUM_ALGORITHM = 'sha256';

/** As for either version; `key: null` makes no key slot, which needs a volume key that the caller keeps. */
export interface Luks2FormatRequest extends Omit<FormatRequest, 'key'> {
  key: AddKeyRequest | null;
  /** Always refused: that needs dm-integrity. */
  integrity?: string;
}

/** Overwrites what was there. Throws DmError EINVAL, ENOTSUP before anything is written. */
export async function formatLuks2(
  disk: ByteDisk,
  request: Luks2FormatRequest,
): Promise<Luks2OnDisk> {
  refuseUnsupported(request);
  const cipher = fullCipher(request.cipher ?? DEFAULT_CIPHER);
  const layout = chooseLayout({
    ...request,
    headerDiskBytes: disk.sizeBytes,
    dataDiskBytes: request.dataSizeBytes ?? disk.sizeBytes,
  });
  using volumeKey = chooseVolumeKey(request, cipher, KEY_MAX_BYTES);
  if (!isNullCipher(cipher)) checkCipher(cipher, volumeKey.lengthBytes, layout.sectorBytes);
  const header = await createHeader(request, cipher, layout, volumeKey);
  if (request.key) {
    chooseSlot(header.metadata, request.key.slot);
    choosePlace(header, volumeKey.lengthBytes, disk.name);
  }
  await clear(disk, layout, request.detached ?? false);
  const volume = new Luks2OnDisk(disk, await writeNewHeader(disk, header));
  if (request.key) await volume.addKey(volumeKey, keyRequest(request, request.key));
  return volume;
}

function refuseUnsupported({ integrity, key, volumeKey }: Luks2FormatRequest): void {
  if (integrity !== undefined && integrity !== 'none') {
    throw new DmError(
      'ENOTSUP',
      `Cannot format with integrity "${integrity}": authenticated encryption needs an integrity device below, which is not supported`,
    );
  }
  if (key === null && !volumeKey) {
    throw new DmError(
      'EINVAL',
      'Cannot format without a key slot and without a volume key: nobody could open the volume',
    );
  }
}

async function createHeader(
  request: Luks2FormatRequest,
  cipher: string,
  layout: Layout,
  volumeKey: Secret,
): Promise<Luks2Header> {
  const { headerBytes, keyslotsBytes, dataOffsetBytes, sectorBytes } = layout;
  const digest = await createDigest(volumeKey, {
    hash: hashOf(request),
    minimal: request.key?.pbkdf?.forceIterations !== undefined,
  });
  digest.segments.push('0');
  const metadata: Luks2Metadata = {
    keyslots: new Map(),
    tokens: new Map(),
    segments: new Map([
      [
        0,
        {
          type: 'crypt',
          offset: String(dataOffsetBytes),
          size: 'dynamic',
          iv_tweak: '0',
          encryption: cipher,
          sector_size: sectorBytes,
        },
      ],
    ]),
    digests: new Map([[0, digest]]),
    config: {
      json_size: String(headerBytes - BINARY_HEADER_BYTES),
      keyslots_size: String(keyslotsBytes),
    },
    others: new Map(),
    order: SECTION_NAMES,
  };
  encodeMetadata(metadata, headerBytes - BINARY_HEADER_BYTES);
  return {
    headerBytes,
    sequenceId: FIRST_SEQUENCE_ID,
    uuid: request.uuid === undefined ? randomUuid() : parseUuid(request.uuid),
    label: request.label ?? '',
    subsystem: request.subsystem ?? '',
    checksumAlgorithm: CHECKSUM_ALGORITHM,
    salts: { primary: randomBytes(SALT_BYTES), secondary: randomBytes(SALT_BYTES) },
    metadata,
    damage: { primary: null, secondary: null },
  };
}

function hashOf({ hash, key }: Luks2FormatRequest): string {
  return (hash ?? key?.pbkdf?.hash ?? PBKDF_DEFAULTS.hash).toLowerCase();
}

function keyRequest(request: Luks2FormatRequest, key: AddKeyRequest): AddKeyRequest {
  return { ...key, pbkdf: { ...key.pbkdf, hash: key.pbkdf?.hash ?? hashOf(request) } };
}

/** Zeros over what else could be taken for a header, random bytes where key slots will be. */
async function clear(disk: ByteDisk, layout: Layout, detached: boolean): Promise<void> {
  const { headerBytes, keyslotsBytes, dataOffsetBytes } = layout;
  const zeroBytes = detached ? BINARY_HEADER_BYTES : dataOffsetBytes;
  await wipeWithZeros(disk, 0, Math.max(zeroBytes, 2 * headerBytes));
  await wipeWithRandom(disk, 2 * headerBytes, keyslotsBytes);
}
