/**
 * How each kind of re-encryption of LUKS1 begins: its state file is filled, the volume is marked, and from then on it is the re-encryption of LUKS2 with a
 * detached header. docs/formats/luks1.md
 */

import { DmError } from '../../../base/errors.ts';
import { SECTOR_BYTES } from '../../../base/units.ts';
import type { ByteDisk } from '../../../core/byte-disk.ts';
import type { PbkdfRequest } from '../../../crypto/kdf/pbkdf.ts';
import type { Secret } from '../../../crypto/secret.ts';
import type { AddKeyRequest, FormatRequest } from '../../luks/types.ts';
import { findDigest } from '../../luks2/digests.ts';
import { formatLuks2 } from '../../luks2/format.ts';
import type { Luks2Header } from '../../luks2/header.ts';
import { isCryptSegment } from '../../luks2/metadata.ts';
import { readHeader } from '../../luks2/read-header.ts';
import {
  beginDecrypt,
  beginDecryptShifted,
  beginEncrypt,
  beginReencrypt,
} from '../../luks2/reencrypt/reencrypt.ts';
import type { ReencryptDisks, ReencryptTuning } from '../../luks2/reencrypt/types.ts';
import { formatLuks1 } from '../format.ts';
import { cipherOf } from '../key-slot.ts';
import type { Luks1Volume } from '../volume.ts';
import { comingHeader, LUKS2_PART_BYTES, luks2Part, readComing } from './state-file.ts';

/** What the state file has room for, behind the two copies of its header. */
const KEYSLOTS_BYTES = LUKS2_PART_BYTES - 2 * 16 * 1024;

/** The new LUKS1 header; what is absent is cryptsetup's default. */
export interface ComingHeader extends Pick<FormatRequest, 'cipher' | 'hash' | 'uuid'> {
  newKey: Secret;
  /** At least one; the first also opens the state file. */
  keys: readonly AddKeyRequest[];
}

export interface Luks1Change extends ComingHeader {
  oldKey: Secret;
  tuning: ReencryptTuning;
}

export interface Luks1Encrypt extends ComingHeader {
  tuning: ReencryptTuning;
  /** Data move up by half of it, which makes room for the header in front. Absent: the header is detached. */
  reduceBytes?: number;
}

/** `disks.header` is the empty state file, `volume` is not written to. Answers the state: nothing of the data is re-encrypted yet. */
export async function prepareChange(
  disks: ReencryptDisks,
  volume: Luks1Volume,
  { oldKey, newKey, cipher = volume.cipher, hash, keys, tuning }: Luks1Change,
): Promise<Luks2Header> {
  const { dataOffsetBytes, uuid } = volume;
  const coming = { newKey, keys, cipher, uuid, ...defined({ hash }) };
  const pbkdf = await writeComing(disks.header, coming, dataOffsetBytes);
  const key = { passphrase: keys[0]!.passphrase, pbkdf };
  const part = luks2Part(disks.header);
  const state = await formatLuks2(part, {
    ...stateRequest(disks, dataOffsetBytes, uuid),
    ...{ cipher: volume.cipher, volumeKey: oldKey, key },
  });
  await state.addUnboundKey(newKey, key);
  const prepared = await readHeader(part);
  const newDigest = await findDigest(prepared.metadata, newKey);
  if (newDigest === null) throw new DmError('EINVAL', 'Cannot re-encrypt: no key slot was made');
  return beginReencrypt({ header: part, data: disks.data }, prepared, {
    ...{ oldKey, newKey, newDigest, cipher },
    ...tuning,
  });
}

/** As `prepareChange`; the beginning of the data is copied behind their end, where the image was given up. */
export async function prepareEncrypt(
  disks: ReencryptDisks,
  { newKey, cipher, hash, keys, uuid, reduceBytes, tuning }: Luks1Encrypt,
): Promise<Luks2Header> {
  const offsetBytes = (reduceBytes ?? 0) / 2;
  const coming = { newKey, keys, ...defined({ cipher, hash, uuid }) };
  const pbkdf = await writeComing(disks.header, coming, offsetBytes);
  const header = await readComing(comingHeader(disks.header)!);
  const part = luks2Part(disks.header);
  await formatLuks2(part, {
    ...stateRequest(disks, offsetBytes, header.uuid),
    ...{ cipher: cipherOf(header), volumeKey: newKey },
    key: { passphrase: keys[0]!.passphrase, pbkdf },
  });
  return beginEncrypt({ header: part, data: disks.data }, await readHeader(part), {
    volumeKey: newKey,
    ...(reduceBytes !== undefined && { reduceBytes }),
    ...tuning,
  });
}

/** The state file gets what opens the volume; `beginLuks1Decrypt` is next, when the volume is marked. */
export async function prepareDecrypt(
  disks: ReencryptDisks,
  volume: Luks1Volume,
  { volumeKey, key }: { volumeKey: Secret; key: AddKeyRequest },
): Promise<void> {
  await formatLuks2(luks2Part(disks.header), {
    ...stateRequest(disks, volume.dataOffsetBytes, volume.uuid),
    ...{ cipher: volume.cipher, volumeKey },
    key: { passphrase: key.passphrase, pbkdf: { ...key.pbkdf, name: 'pbkdf2' } },
  });
}

/** May be repeated after a crash: the data are still where they were. */
export async function beginLuks1Decrypt(
  disks: ReencryptDisks,
  header: Luks2Header,
  request: ReencryptTuning & { volumeKey: Secret },
): Promise<Luks2Header> {
  const [segment] = header.metadata.segments.values();
  const isInFront = segment !== undefined && isCryptSegment(segment) && segment.offset !== '0';
  const begin = isInFront ? beginDecryptShifted : beginDecrypt;
  return begin(disks, header, request);
}

/** The keys of the LUKS1 header to come; answers the cost for those of the state file, so that it is measured once. */
async function writeComing(
  file: ByteDisk,
  { newKey, keys, cipher, hash, uuid }: ComingHeader,
  dataOffsetBytes: number,
): Promise<PbkdfRequest> {
  const [first, ...more] = keys;
  if (!first) throw new DmError('EINVAL', 'Cannot re-encrypt: no passphrase for the new key');
  const part = comingHeader(file);
  if (!part) throw new DmError('ENOSPC', 'Cannot re-encrypt: no room for the new header');
  const volume = await formatLuks1(part, {
    ...defined({ cipher, hash, uuid }),
    ...{ volumeKey: newKey, keyBytes: newKey.lengthBytes, dataOffsetBytes, key: first },
  });
  const iterations = volume.slots()[0]!.pbkdf!.iterations;
  const pbkdf = { name: 'pbkdf2', forceIterations: iterations } as const;
  for (const { passphrase, slot } of more) {
    const chosen = slot === undefined ? {} : { slot };
    const used = await volume.addKey(newKey, {
      ...{ passphrase, pbkdf: { forceIterations: iterations } },
      ...chosen,
    });
    if (slot !== undefined && used !== slot) throw new DmError('EINVAL', `Cannot use slot ${slot}`);
  }
  return pbkdf;
}

function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> };
}

function stateRequest(disks: ReencryptDisks, dataOffsetBytes: number, uuid: string) {
  const dataSizeBytes = disks.data.sizeBytes;
  return {
    ...{ detached: true, sectorBytes: SECTOR_BYTES, keyslotsBytes: KEYSLOTS_BYTES },
    ...{ dataOffsetBytes, dataSizeBytes, uuid },
  };
}
