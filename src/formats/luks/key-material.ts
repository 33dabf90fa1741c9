/** Key material of both versions: a key split into stripes (AF splitter), encrypted sector by sector from 0 on with what a passphrase derives to. */

import { SECTOR_BYTES } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { mergeKey, splitKey } from '../../crypto/af-splitter.ts';
import { parseCipherSpec } from '../../crypto/cipher-spec.ts';
import { createSectorCipher } from '../../crypto/create-sector-cipher.ts';
import { loadHash } from '../../crypto/hash.ts';
import { randomBytes } from '../../crypto/random.ts';
import { Secret } from '../../crypto/secret.ts';
import type { SectorCipher } from '../../crypto/sector-cipher.ts';

export interface KeyMaterial {
  offsetBytes: number;
  /** Of the key that is kept there. */
  keyBytes: number;
  stripes: number;
  afHash: string;
  /** `aes-xts-plain64` */
  cipher: string;
}

/** The key; whether it is the right one, only a digest says. The caller wipes it. */
export async function readKeyMaterial(
  disk: ByteDisk,
  material: KeyMaterial,
  areaKey: Secret,
): Promise<Secret> {
  const sealed = await disk.read(material.offsetBytes, sealedBytes(material));
  using stripes = Secret.allocate(sealed.byteLength);
  withCipher(material, areaKey, (cipher) =>
    cipher.decrypt(sealed, 0, stripes.bytes, 0, sealed.byteLength, 0),
  );
  const hash = await loadHash(material.afHash);
  const split = stripes.bytes.subarray(0, material.keyBytes * material.stripes);
  return mergeKey(split, { hash, stripes: material.stripes });
}

/** On the disk and flushed when it resolves. */
export async function writeKeyMaterial(
  disk: ByteDisk,
  material: KeyMaterial,
  areaKey: Secret,
  key: Secret,
): Promise<void> {
  const sealed = new Uint8Array(sealedBytes(material));
  using stripes = Secret.allocate(sealed.byteLength);
  const hash = await loadHash(material.afHash);
  using split = splitKey(key, { hash, stripes: material.stripes });
  stripes.bytes.set(split.bytes);
  withCipher(material, areaKey, (cipher) =>
    cipher.encrypt(stripes.bytes, 0, sealed, 0, sealed.byteLength, 0),
  );
  await disk.write(material.offsetBytes, sealed);
  await disk.flush();
}

function sealedBytes({ keyBytes, stripes }: KeyMaterial): number {
  return Math.ceil((keyBytes * stripes) / SECTOR_BYTES) * SECTOR_BYTES;
}

function withCipher(
  material: KeyMaterial,
  areaKey: Secret,
  action: (cipher: SectorCipher) => void,
): void {
  const cipher = createSectorCipher({
    spec: parseCipherSpec(material.cipher),
    key: areaKey.bytes,
    sectorBytes: SECTOR_BYTES,
    ivLargeSectors: false,
    ivOffset: 0n,
  });
  try {
    action(cipher);
  } finally {
    cipher.close();
  }
}

const PIECE_BYTES = 1024 * 1024;

/** Random bytes over what nobody may find any more; flushed. */
export async function wipeWithRandom(
  disk: ByteDisk,
  offsetBytes: number,
  lengthBytes: number,
): Promise<void> {
  await overwrite(disk, offsetBytes, lengthBytes, randomBytes);
}

export async function wipeWithZeros(
  disk: ByteDisk,
  offsetBytes: number,
  lengthBytes: number,
): Promise<void> {
  await overwrite(disk, offsetBytes, lengthBytes, (length) => new Uint8Array(length));
}

async function overwrite(
  disk: ByteDisk,
  offsetBytes: number,
  lengthBytes: number,
  content: (lengthBytes: number) => Uint8Array,
): Promise<void> {
  for (let done = 0; done < lengthBytes; done += PIECE_BYTES) {
    const piece = content(Math.min(PIECE_BYTES, lengthBytes - done));
    await disk.write(offsetBytes + done, piece);
  }
  await disk.flush();
}
