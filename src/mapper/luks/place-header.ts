/**
 * `--encrypt --reduce-device-size` makes the header in a file beside the image, and puts it in front when the data have made room. Killed
 * in between, that file has the only key: the same command finds it and goes on from there.
 */

import { existsSync, rmSync } from 'node:fs';
import { DmError } from '../../base/errors.ts';
import type { Secret } from '../../crypto/secret.ts';
import { openFileDisk } from '../../devices/byte-disk.ts';
import type { Luks2Header } from '../../formats/luks2/header.ts';
import { readHeader } from '../../formats/luks2/read-header.ts';
import { placeHeader } from '../../formats/luks2/reencrypt/reencrypt.ts';
import { reencryptStatus } from '../../formats/luks2/reencrypt/status.ts';
import { type KeyPair, ReencryptImage, unlockBoth } from './reencrypt.ts';

/** Where the header waits until it can be put in front. */
export function waitingHeaderOf(imagePath: string): string {
  return `${imagePath}.luks2-header`;
}

export interface Placed {
  image: ReencryptImage;
  header: Luks2Header;
  keys: KeyPair;
}

/** null: no header waits. Throws EEXIST for a file with a header that never was begun, and when the passphrase is another one. */
export async function placeWaitingHeader(
  imagePath: string,
  passphrase: Secret,
): Promise<Placed | null> {
  const path = waitingHeaderOf(imagePath);
  if (!existsSync(path)) return null;
  const image = await ReencryptImage.open(imagePath);
  try {
    const keys = await placeFrom(path, image, passphrase);
    rmSync(path);
    return { image, header: await image.readHeader(), keys };
  } catch (error) {
    await image[Symbol.asyncDispose]();
    throw error;
  }
}

async function placeFrom(
  path: string,
  image: ReencryptImage,
  passphrase: Secret,
): Promise<KeyPair> {
  await using file = await openFileDisk(path, { readOnly: false, lock: 'image' });
  const header = await begunHeader(file, path);
  const keys = await unlockBoth(file, header.metadata, passphrase);
  try {
    await placeHeader(file, image.disks.data, header);
    return keys;
  } catch (error) {
    keys[Symbol.dispose]();
    throw error;
  }
}

async function begunHeader(file: Parameters<typeof readHeader>[0], path: string) {
  const header = await readHeader(file).catch(() => null);
  if (header !== null && reencryptStatus(header.metadata) !== 'none') return header;
  throw new DmError(
    'EEXIST',
    `Cannot make a header in "${path}": the file is there already, from an encryption that was stopped before it changed anything; remove it and begin again`,
  );
}
