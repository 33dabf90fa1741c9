/**
 * Re-encryption of a LUKS1 image: its state is in a file beside the image, which is there from when the re-encryption can go on by itself until nothing is left to do.
 * docs/formats/luks1.md
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DmError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { randomSecret } from '../../crypto/random.ts';
import { Secret } from '../../crypto/secret.ts';
import { openFileDisk } from '../../devices/byte-disk.ts';
import { wipeWithRandom } from '../../formats/luks/key-material.ts';
import { defaultKeyBytes } from '../../formats/luks/new-volume.ts';
import type { AddKeyRequest } from '../../formats/luks/types.ts';
import {
  beginLuks1Decrypt,
  type Luks1Change,
  type Luks1Encrypt,
  prepareChange,
  prepareDecrypt,
  prepareEncrypt,
} from '../../formats/luks1/reencrypt/begin.ts';
import { markNew, markUnusable, readFront } from '../../formats/luks1/reencrypt/mark.ts';
import { placeLuks1Header } from '../../formats/luks1/reencrypt/place.ts';
import { nextPart } from '../../formats/luks1/reencrypt/resume.ts';
import {
  comingHeader,
  readComing,
  stateFileBytes,
} from '../../formats/luks1/reencrypt/state-file.ts';
import { openLuks1 } from '../../formats/luks1/volume.ts';
import type { Luks2Header } from '../../formats/luks2/header.ts';
import type { ReencryptTuning } from '../../formats/luks2/reencrypt/types.ts';
import { unlock } from '../../formats/luks2/unlock.ts';
import type { Begun } from './begin-reencrypt.ts';
import { makeHeaderFile } from './format.ts';
import { KeyPair, ReencryptImage, unlockBoth } from './reencrypt.ts';

export interface Luks1Paths {
  path: string;
  /** A detached header. */
  header?: string;
}

export const statePath = (path: string): string => `${path}.luks1-reencrypt`;
/** Not to be gone on with: it is not whole yet, or not any more. */
const partialPath = (path: string): string => `${statePath(path)}.partial`;

export type KeysAbsent<T> = Omit<T, 'oldKey' | 'newKey'> & { keyBytes?: number };

/** `oldKey` stays the caller's. */
export async function beginLuks1Change(
  paths: Luks1Paths,
  oldKey: Secret,
  { keyBytes, ...request }: KeysAbsent<Luks1Change>,
): Promise<Begun> {
  const newKey = randomSecret(keyBytes ?? oldKey.lengthBytes);
  const keys = new KeyPair({ old: Secret.from(oldKey.bytes), new: newKey });
  return await begin(paths, keys, newKey.lengthBytes, async (image, front) => {
    const volume = await openLuks1(front);
    const header = await prepareChange(image.disks, volume, { ...request, oldKey, newKey });
    commit(paths.path);
    await markUnusable(front);
    return header;
  });
}

/** A detached header is made if there is none. */
export async function beginLuks1Encryption(
  paths: Luks1Paths,
  { keyBytes, ...request }: KeysAbsent<Luks1Encrypt>,
): Promise<Begun> {
  const newKeyBytes = keyBytes ?? defaultKeyBytes(request.cipher);
  if (paths.header !== undefined) makeHeaderFile(paths.header, {});
  const newKey = randomSecret(newKeyBytes);
  const keys = new KeyPair({ old: null, new: newKey });
  return await begin(paths, keys, newKey.lengthBytes, async (image, front) => {
    const header = await prepareEncrypt(image.disks, { ...request, newKey });
    const coming = comingHeader(image.disks.header)!;
    if (front.sizeBytes < coming.sizeBytes) {
      const sizes = `expected at least ${coming.sizeBytes} bytes, got ${front.sizeBytes}`;
      throw new DmError('ENOSPC', `Cannot make a header in "${front.name}": ${sizes}`);
    }
    commit(paths.path);
    await markNew(front, await readComing(coming));
    return header;
  });
}

/** `key` opens the state file while it is needed. */
export async function beginLuks1Decryption(
  paths: Luks1Paths,
  volumeKey: Secret,
  { key, tuning }: { key: AddKeyRequest; tuning: ReencryptTuning },
): Promise<Begun> {
  const keys = new KeyPair({ old: Secret.from(volumeKey.bytes), new: null });
  return await begin(paths, keys, null, async (image, front) => {
    await prepareDecrypt(image.disks, await openLuks1(front), { volumeKey, key });
    commit(paths.path);
    await markUnusable(front);
    const header = await image.readHeader();
    return await beginLuks1Decrypt(image.disks, header, { ...tuning, volumeKey });
  });
}

/** null: there is nothing to go on with, everything begins anew. `finished`: nothing but the header was left to do. */
export async function resumeLuks1(
  paths: Luks1Paths,
  passphrase: () => Promise<Secret>,
  tuning: ReencryptTuning,
): Promise<Begun | 'finished' | null> {
  const image = await ReencryptImage.open(paths.path, { header: statePath(paths.path) });
  try {
    const header = await image.readHeader();
    const part = await withFront(image, paths, (front) =>
      nextPart(image.disks.header, header, front),
    );
    if (part === 'run' || part === 'decrypt') {
      using words = await passphrase();
      const next = part === 'run' ? unlockState : restartDecryption;
      return begun(paths, image, await next(image, header, words, tuning));
    }
    if (part === 'place') await place(image, paths);
    await forget(image, paths.path);
    await image[Symbol.asyncDispose]();
    return part === 'drop' ? null : 'finished';
  } catch (error) {
    await image[Symbol.asyncDispose]();
    throw error;
  }
}

export function isLuks1UnderWay(path: string): boolean {
  return existsSync(statePath(path));
}

/** Marked, and no state of ours: whoever began it goes on with it. Answers the UUID. */
export async function markedElsewhere({ path, header }: Luks1Paths): Promise<string | null> {
  const front = header !== undefined && existsSync(header) ? header : path;
  await using disk = await openFileDisk(front, { readOnly: true });
  const { kind, uuid } = await readFront(disk);
  return kind === 'marked' ? uuid : null;
}

type Opened = Pick<Begun, 'header' | 'keys'>;

async function unlockState(
  { disks }: ReencryptImage,
  header: Luks2Header,
  passphrase: Secret,
): Promise<Opened> {
  return { header, keys: await unlockBoth(disks.header, header.metadata, passphrase) };
}

async function restartDecryption(
  { disks }: ReencryptImage,
  header: Luks2Header,
  passphrase: Secret,
  tuning: ReencryptTuning,
): Promise<Opened> {
  const { volumeKey } = await unlock(disks.header, header.metadata, passphrase);
  const keys = new KeyPair({ old: volumeKey, new: null });
  try {
    const next = await beginLuks1Decrypt(disks, header, { ...tuning, volumeKey });
    return { header: next, keys };
  } catch (error) {
    keys[Symbol.dispose]();
    throw error;
  }
}

/** The keys are wiped when it fails. */
async function begin(
  paths: Luks1Paths,
  keys: KeyPair,
  newKeyBytes: number | null,
  prepare: (image: ReencryptImage, front: ByteDisk) => Promise<Luks2Header>,
): Promise<Begun> {
  const partial = partialPath(paths.path);
  let image: ReencryptImage | null = null;
  try {
    makeFile(partial, stateFileBytes(newKeyBytes));
    image = await ReencryptImage.open(paths.path, { header: partial });
    const opened = image;
    const header = await withFront(image, paths, (front) => prepare(opened, front));
    return begun(paths, image, { header, keys });
  } catch (error) {
    keys[Symbol.dispose]();
    await image?.[Symbol.asyncDispose]();
    rmSync(partial, { force: true });
    throw error;
  }
}

function begun(paths: Luks1Paths, image: ReencryptImage, { header, keys }: Opened): Begun {
  const finish = async () => {
    await place(image, paths);
    await forget(image, paths.path);
  };
  return { image, header, keys, finish };
}

async function place(image: ReencryptImage, paths: Luks1Paths): Promise<void> {
  const coming = comingHeader(image.disks.header);
  if (coming) await withFront(image, paths, (front) => placeLuks1Header(coming, front));
}

/** It has keys in it. */
async function forget({ disks }: ReencryptImage, path: string): Promise<void> {
  const partial = partialPath(path);
  renameSync(statePath(path), partial);
  syncFolder(path);
  await wipeWithRandom(disks.header, 0, disks.header.sizeBytes);
  rmSync(partial);
}

async function withFront<T>(
  image: ReencryptImage,
  { header }: Luks1Paths,
  run: (front: ByteDisk) => Promise<T>,
): Promise<T> {
  if (header === undefined) return await run(image.disks.data);
  await using front = await openFileDisk(header, { readOnly: false, lock: 'image' });
  return await run(front);
}

/** One that an earlier beginning left is not needed. */
function makeFile(path: string, sizeBytes: number): void {
  rmSync(path, { force: true });
  const fd = openSync(path, 'wx', 0o600);
  try {
    ftruncateSync(fd, sizeBytes);
  } finally {
    closeSync(fd);
  }
}

/** From here on the re-encryption can go on by itself. */
function commit(path: string): void {
  renameSync(partialPath(path), statePath(path));
  syncFolder(path);
}

function syncFolder(path: string): void {
  const fd = openSync(dirname(path), 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
