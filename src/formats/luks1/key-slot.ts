/** One key slot: the volume's key, out of it and into it. */

import { SECTOR_BYTES } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { deriveKey } from '../../crypto/kdf/derive-key.ts';
import { randomBytes } from '../../crypto/random.ts';
import type { Secret } from '../../crypto/secret.ts';
import {
  type KeyMaterial,
  readKeyMaterial,
  wipeWithRandom,
  writeKeyMaterial,
} from '../luks/key-material.ts';
import { isVolumeKey, pbkdf2 } from './digest.ts';
import {
  type KeySlot,
  type Luks1Header,
  SALT_BYTES,
  SLOT_DISABLED,
  SLOT_ENABLED,
} from './header.ts';
import { STRIPES, slotAreaSectors } from './layout.ts';
import { assertCurrent } from './write-header.ts';

/** dm-crypt's word for the volume, and for its key material. */
export function cipherOf({ cipherName, cipherMode }: Luks1Header): string {
  return cipherMode === '' ? cipherName : `${cipherName}-${cipherMode}`;
}

function materialOf(header: Luks1Header, { materialSectors }: KeySlot): KeyMaterial {
  return {
    offsetBytes: materialSectors * SECTOR_BYTES,
    keyBytes: header.keyBytes,
    stripes: STRIPES,
    afHash: header.hash,
    cipher: cipherOf(header),
  };
}

/** null: the passphrase is not this slot's. */
export async function openSlot(
  disk: ByteDisk,
  header: Luks1Header,
  slot: KeySlot,
  passphrase: Secret,
  signal?: AbortSignal,
): Promise<Secret | null> {
  const pbkdf = pbkdf2(header.hash, slot.iterations);
  using areaKey = await deriveKey(pbkdf, passphrase, slot.salt, header.keyBytes, { signal });
  const key = await readKeyMaterial(disk, materialOf(header, slot), areaKey);
  let isRight = false;
  try {
    isRight = await isVolumeKey(header, key);
  } finally {
    if (!isRight) key.wipe();
  }
  return isRight ? key : null;
}

export interface SlotSecrets {
  passphrase: Secret;
  volumeKey: Secret;
}

/** Writes the key material; the slot as it belongs into the header afterwards. Throws DmError EBUSY when somebody else changed the header. */
export async function fillSlot(
  disk: ByteDisk,
  header: Luks1Header,
  slot: KeySlot,
  iterations: number,
  secrets: SlotSecrets,
): Promise<KeySlot> {
  const salt = randomBytes(SALT_BYTES);
  const pbkdf = pbkdf2(header.hash, iterations);
  using areaKey = await deriveKey(pbkdf, secrets.passphrase, salt, header.keyBytes);
  // That took a while, and the slot may be somebody else's now.
  await assertCurrent(disk, header);
  await writeKeyMaterial(disk, materialOf(header, slot), areaKey, secrets.volumeKey);
  return { ...slot, state: SLOT_ENABLED, iterations, salt };
}

export function emptied(slot: KeySlot): KeySlot {
  return { ...slot, state: SLOT_DISABLED, iterations: 0, salt: new Uint8Array(SALT_BYTES) };
}

export async function wipeSlot(
  disk: ByteDisk,
  header: Luks1Header,
  { materialSectors }: KeySlot,
): Promise<void> {
  const lengthBytes = slotAreaSectors(header.keyBytes) * SECTOR_BYTES;
  await wipeWithRandom(disk, materialSectors * SECTOR_BYTES, lengthBytes);
}
