/** A key slot's area: what the passphrase derives to encrypts the split key. Source: LUKS2 On-Disk Format Specification 1.1, sections 3.2 and 4. */

import type { ByteDisk } from '../../core/byte-disk.ts';
import { parseCipherSpec } from '../../crypto/cipher-spec.ts';
import { createSectorCipher } from '../../crypto/create-sector-cipher.ts';
import { deriveKey } from '../../crypto/kdf/derive-key.ts';
import { randomSecret } from '../../crypto/random.ts';
import type { Secret } from '../../crypto/secret.ts';
import {
  type KeyMaterial,
  readKeyMaterial,
  wipeWithRandom,
  writeKeyMaterial,
} from '../luks/key-material.ts';
import { saltedPbkdfOf } from './kdf.ts';
import type { Luks2PassphraseKeyslot } from './metadata.ts';

const AREA_SECTOR_BYTES = 512;

/** What the slot gives for that passphrase: the key, if a digest says so. The caller wipes it. */
export async function readKey(
  disk: ByteDisk,
  slot: Luks2PassphraseKeyslot,
  passphrase: Secret,
  signal?: AbortSignal,
): Promise<Secret> {
  using areaKey = await deriveAreaKey(slot, passphrase, signal);
  return await readKeyMaterial(disk, materialOf(slot), areaKey);
}

/** Fills the slot's area; it is on the disk when this resolves. */
export async function writeKey(
  disk: ByteDisk,
  slot: Luks2PassphraseKeyslot,
  passphrase: Secret,
  key: Secret,
): Promise<void> {
  using areaKey = await deriveAreaKey(slot, passphrase);
  await writeKeyMaterial(disk, materialOf(slot), areaKey, key);
}

async function deriveAreaKey(
  { kdf, area }: Luks2PassphraseKeyslot,
  passphrase: Secret,
  signal?: AbortSignal,
): Promise<Secret> {
  const { pbkdf, salt } = saltedPbkdfOf(kdf);
  return await deriveKey(pbkdf, passphrase, salt, area.key_size, { signal });
}

function materialOf({ area, af, key_size }: Luks2PassphraseKeyslot): KeyMaterial {
  return {
    offsetBytes: Number(area.offset),
    keyBytes: key_size,
    stripes: af.stripes,
    afHash: af.hash,
    cipher: area.encryption,
  };
}

/** Throws DmError for a cipher that is not there, or not with keys of that length or sectors of that size. */
export function checkCipher(
  cipher: string,
  keyBytes: number,
  sectorBytes = AREA_SECTOR_BYTES,
): void {
  using key = randomSecret(keyBytes);
  createSectorCipher({
    spec: parseCipherSpec(cipher),
    key: key.bytes,
    sectorBytes,
    ivLargeSectors: false,
    ivOffset: 0n,
  }).close();
}

/** Random bytes over an area that no header names any more; on the disk when this resolves. */
export async function wipeArea(
  disk: ByteDisk,
  { offset, size }: { offset: string; size: string },
): Promise<void> {
  await wipeWithRandom(disk, Number(offset), Number(size));
}
