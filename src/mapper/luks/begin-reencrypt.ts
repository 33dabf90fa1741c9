/** How each kind of re-encryption of an image begins. Each answers what `goOn` needs. */

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { DmError } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import { randomSecret } from '../../crypto/random.ts';
import { Secret } from '../../crypto/secret.ts';
import { openFileDisk } from '../../devices/byte-disk.ts';
import { defaultKeyBytes } from '../../formats/luks/new-volume.ts';
import type { AddKeyRequest, FormatRequest } from '../../formats/luks/types.ts';
import { findDigest } from '../../formats/luks2/digests.ts';
import { formatLuks2 } from '../../formats/luks2/format.ts';
import type { Luks2Header } from '../../formats/luks2/header.ts';
import { readHeader } from '../../formats/luks2/read-header.ts';
import {
  beginDecrypt,
  beginDecryptShifted,
  beginEncrypt,
  beginReencrypt,
  placeHeader,
} from '../../formats/luks2/reencrypt/reencrypt.ts';
import type { ReencryptTuning } from '../../formats/luks2/reencrypt/types.ts';
import { openLuks2 } from '../../formats/luks2/volume.ts';
import { makeHeaderFile } from './format.ts';
import { backUpHeader } from './header-backup.ts';
import { placeWaitingHeader, waitingHeaderOf } from './place-header.ts';
import { KeyPair, ReencryptImage } from './reencrypt.ts';

/** Begun: the keys are the caller's to wipe, the image to close. */
export interface Begun {
  image: ReencryptImage;
  header: Luks2Header;
  keys: KeyPair;
  /** What is left to do when all data are re-encrypted. */
  finish?: () => Promise<void>;
}

export interface EncryptRequest extends ReencryptTuning {
  format: Omit<FormatRequest, 'volumeKey' | 'detached' | 'dataSizeBytes' | 'dataOffsetBytes'>;
  /** A detached header; without it `reduceBytes` makes room for one in front. */
  header?: string;
  reduceBytes?: number;
}

/** Makes a header; nothing of the data is encrypted yet. */
export async function beginEncryption(path: string, request: EncryptRequest): Promise<Begun> {
  const { header: headerPath, reduceBytes } = request;
  if (headerPath !== undefined) return await encryptDetached(path, headerPath, request);
  if (reduceBytes !== undefined) return await encryptShifted(path, reduceBytes, request);
  const words = 'Encryption without detached header (--header) is not possible';
  throw new DmError(
    'EINVAL',
    `${words} without data device size reduction (--reduce-device-size).`,
  );
}

async function encryptDetached(
  path: string,
  headerPath: string,
  { format, header: _, reduceBytes: __, ...tuning }: EncryptRequest,
): Promise<Begun> {
  const keyBytes = format.keyBytes ?? defaultKeyBytes(format.cipher);
  makeHeaderFile(headerPath, format);
  const image = await ReencryptImage.open(path, { header: headerPath });
  const volumeKey = randomSecret(keyBytes);
  try {
    const { disks } = image;
    await formatLuks2(disks.header, formatRequest(format, volumeKey, disks.data.sizeBytes, 0));
    const header = await beginEncrypt(disks, await image.readHeader(), { volumeKey, ...tuning });
    return { image, header, keys: new KeyPair({ old: null, new: volumeKey }) };
  } catch (error) {
    volumeKey.wipe();
    await image[Symbol.asyncDispose]();
    throw error;
  }
}

function formatRequest(
  format: EncryptRequest['format'],
  volumeKey: Secret,
  dataSizeBytes: number,
  dataOffsetBytes: number,
): FormatRequest {
  // What is in there may address 512 bytes (a partition table, a file system of small blocks), and would not be found behind larger sectors.
  const { sectorBytes = SECTOR_BYTES } = format;
  return { ...format, sectorBytes, volumeKey, detached: true, dataSizeBytes, dataOffsetBytes };
}

/** The header is made in a file beside the image and moves in front when the data have made room; until then that file is the only one. */
async function encryptShifted(
  path: string,
  reduceBytes: number,
  { format, header: _, reduceBytes: __, ...tuning }: EncryptRequest,
): Promise<Begun> {
  const waiting = await placeWaitingHeader(path, format.key.passphrase);
  if (waiting !== null) return waiting;
  const keyBytes = format.keyBytes ?? defaultKeyBytes(format.cipher);
  const temporary = waitingHeaderOf(path);
  makeHeaderFile(temporary, format, { mustBeNew: true });
  const image = await ReencryptImage.open(path);
  const volumeKey = randomSecret(keyBytes);
  let isBegun = false;
  try {
    const { data } = image.disks;
    await using file = await openFileDisk(temporary, { readOnly: false, lock: 'image' });
    const request = formatRequest(format, volumeKey, data.sizeBytes, reduceBytes / 2);
    await formatLuks2(file, request);
    const disks = { header: file, data };
    const plain = await readHeader(file);
    const begun = await beginEncrypt(disks, plain, { volumeKey, reduceBytes, ...tuning });
    isBegun = true;
    await placeHeader(file, data, begun);
    rmSync(temporary);
    const header = await image.readHeader();
    return { image, header, keys: new KeyPair({ old: null, new: volumeKey }) };
  } catch (error) {
    volumeKey.wipe();
    await image[Symbol.asyncDispose]();
    if (!isBegun) rmSync(temporary, { force: true });
    throw error;
  }
}

export interface DecryptRequest extends ReencryptTuning {
  /** The detached header, or, for a volume with its header in front, the file it is exported to. */
  header: string;
  /** Where it lies now: in front; in the file, copied there by a run that was killed before it said so; in the file for good. */
  place: 'front' | 'exported' | 'detached';
}

/** `unlock`: the volume key, for the header that it is given; null: the one in front. Before anything is made, so that a wrong passphrase leaves nothing. */
export async function beginDecryption(
  path: string,
  { header: headerPath, place, ...tuning }: DecryptRequest,
  unlock: (header: string | null) => Promise<Secret>,
): Promise<Begun> {
  const volumeKey = await unlock(place === 'front' ? null : headerPath);
  let image: ReencryptImage | null = null;
  try {
    if (place === 'front') await exportHeader(path, headerPath);
    image = await ReencryptImage.open(path, { header: headerPath });
    const begin = place === 'detached' ? beginDecrypt : beginDecryptShifted;
    const header = await begin(image.disks, await image.readHeader(), { volumeKey, ...tuning });
    return { image, header, keys: new KeyPair({ old: volumeKey, new: null }) };
  } catch (error) {
    volumeKey.wipe();
    await image?.[Symbol.asyncDispose]();
    throw error;
  }
}

/** Whole or not at all: until the data are decrypted this file is the only header. */
async function exportHeader(path: string, headerPath: string): Promise<void> {
  await using data = await openFileDisk(path, { readOnly: true });
  const bytes = await backUpHeader(data);
  const temporary = `${headerPath}.partial`;
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, headerPath);
}

export interface ChangeRequest extends ReencryptTuning {
  header?: string;
  /** The volume key stays. */
  keepKey?: boolean;
  cipher?: string;
  sectorBytes?: number;
  /** Of the new volume key; default: as the old one. */
  keyBytes?: number;
  /** What opens the new one: slots that are made for it. At least one, unless `keepKey`. */
  keys: readonly AddKeyRequest[];
}

/** `oldKey` stays the caller's. */
export async function beginChange(
  path: string,
  oldKey: Secret,
  { header: headerPath, keepKey = false, keys: requests, keyBytes, ...change }: ChangeRequest,
): Promise<Begun> {
  const image = await ReencryptImage.open(path, {
    ...(headerPath !== undefined && { header: headerPath }),
  });
  const old = Secret.from(oldKey.bytes);
  const newKey = keepKey ? Secret.from(oldKey.bytes) : randomSecret(keyBytes ?? oldKey.lengthBytes);
  const pair = new KeyPair({ old, new: newKey });
  const made: number[] = [];
  try {
    const volume = await openLuks2(image.disks.header);
    for (const request of keepKey ? [] : requests) {
      made.push(await volume.addUnboundKey(newKey, request));
    }
    const prepared = await image.readHeader();
    const newDigest = await findDigest(prepared.metadata, newKey);
    if (newDigest === null) throw new DmError('EINVAL', 'Cannot re-encrypt: no key slot was made');
    const begin = { oldKey: old, newKey, newDigest, ...change };
    const header = await beginReencrypt(image.disks, prepared, begin);
    return { image, header, keys: pair };
  } catch (error) {
    pair[Symbol.dispose]();
    await dropSlots(image, made);
    await image[Symbol.asyncDispose]();
    throw error;
  }
}

/** Nothing was begun: the volume has the slots again that it had. What keeps that from being done is not worth more words than why. */
async function dropSlots(image: ReencryptImage, slots: readonly number[]): Promise<void> {
  try {
    const volume = await openLuks2(image.disks.header);
    for (const slot of slots) await volume.killSlot(slot);
  } catch {
    // They are for a key that nothing is encrypted with.
  }
}
