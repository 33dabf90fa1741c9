/** Killed when the data had made room and the header was not yet in front: the same request goes on, and nothing is lost. */

import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Secret } from '../../crypto/secret.ts';
import { openLuksVolume } from '../luks.ts';
import { type Begun, beginEncryption } from './begin-reencrypt.ts';
import { waitingHeaderOf } from './place-header.ts';
import { goOn } from './reencrypt.ts';

const MIB = 1024 * 1024;
const REDUCE_BYTES = 4 * MIB;
const DATA_BYTES = 6 * MIB;
const METADATA = { metadataBytes: 16_384, keyslotsBytes: 512 * 1024 };

let folder: string;
let image: string;
let plain: Buffer;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'devmapper-'));
  image = join(folder, 'disk');
  plain = Buffer.from(Uint32Array.from({ length: DATA_BYTES / 4 }, (_, index) => index).buffer);
  writeFileSync(image, plain);
  truncateSync(image, DATA_BYTES + REDUCE_BYTES);
});
afterEach(() => rmSync(folder, { recursive: true }));

async function begin(text = 'pw'): Promise<Begun> {
  using passphrase = Secret.from(Buffer.from(text));
  const pbkdf = { name: 'pbkdf2', forceIterations: 1000 } as const;
  const key = { passphrase, pbkdf };
  return await beginEncryption(image, {
    reduceBytes: REDUCE_BYTES,
    format: { ...METADATA, key },
  });
}

/** As a process leaves it that is killed with the header still in its file. */
async function leaveWaiting(): Promise<void> {
  await using begun = (await begin()).image;
  expect(begun).toBeDefined();
  const bytes = readFileSync(image);
  writeFileSync(waitingHeaderOf(image), bytes.subarray(0, REDUCE_BYTES / 2));
  writeFileSync(image, bytes.fill(0xaa, 0, 2 * METADATA.metadataBytes));
}

test('the header that waits is put in front, and the encryption goes on', async () => {
  await leaveWaiting();
  await expect(begin('wrong')).rejects.toThrow('No key available with this passphrase.');
  expect(existsSync(waitingHeaderOf(image))).toBe(true);
  const begun = await begin();
  {
    await using opened = begun.image;
    using keys = begun.keys;
    expect(existsSync(waitingHeaderOf(image))).toBe(false);
    await goOn(opened, begun.header, keys, {});
  }
  using passphrase = Secret.from(Buffer.from('pw'));
  await using disk = await openLuksVolume(image, passphrase, { readOnly: true });
  const found = await disk.read({ offsetBytes: 0, lengthBytes: DATA_BYTES });
  expect(Buffer.compare(found, plain)).toBe(0);
});

test('a file that never was begun from is refused, and stays', async () => {
  writeFileSync(waitingHeaderOf(image), 'something else');
  await expect(begin()).rejects.toThrow(/disk\.luks2-header": the file is there already/);
  expect(readFileSync(waitingHeaderOf(image), 'utf8')).toBe('something else');
  expect(readFileSync(image).subarray(0, DATA_BYTES).equals(plain)).toBe(true);
});
