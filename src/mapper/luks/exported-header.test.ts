/** A decryption that was killed, or refused, before its file said anything: the same request begins anew. */

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
import { formatLuks, openLuksImage, openLuksVolume } from '../luks.ts';
import { beginDecryption, type DecryptRequest } from './begin-reencrypt.ts';
import { isExportedHeader } from './exported-header.ts';
import { goOn } from './reencrypt.ts';

const MIB = 1024 * 1024;
const DATA_BYTES = 6 * MIB;
const DATA_OFFSET_BYTES = MIB;

let folder: string;
let image: string;
let header: string;
const plain = Buffer.from(Uint32Array.from({ length: DATA_BYTES / 4 }, (_, at) => at).buffer);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'devmapper-'));
  image = join(folder, 'disk');
  header = join(folder, 'header');
  writeFileSync(image, '');
  truncateSync(image, DATA_OFFSET_BYTES + DATA_BYTES);
  using pw = Secret.from(Buffer.from('pw'));
  await formatLuks(image, pw, {
    dataOffsetBytes: DATA_OFFSET_BYTES,
    keyslotsBytes: 512 * 1024,
    key: { pbkdf: { name: 'pbkdf2', forceIterations: 1000 } },
  });
  await using volume = await openLuksVolume(image, pw);
  await volume.write({ offsetBytes: 0, data: plain });
  await volume.flush();
});
afterEach(() => rmSync(folder, { recursive: true }));

async function begin(place: DecryptRequest['place'], text = 'pw') {
  return await beginDecryption(image, { header, place }, async (path) => {
    using passphrase = Secret.from(Buffer.from(text));
    await using opened = await openLuksImage(image, path === null ? {} : { header: path });
    return (await opened.volume.unlock(passphrase)).volumeKey;
  });
}

test('a wrong passphrase leaves no file', async () => {
  const before = readFileSync(image);
  await expect(begin('front', 'wrong')).rejects.toThrow('No key available with this passphrase.');
  expect(existsSync(header)).toBe(false);
  expect(readFileSync(image).equals(before)).toBe(true);
});

test.each(['front', 'data'])('killed with the %s in front, it begins anew', async (there) => {
  const before = readFileSync(image);
  writeFileSync(header, before.subarray(0, 32_768 + 512 * 1024));
  if (there === 'data') {
    before.copyWithin(0, DATA_OFFSET_BYTES, DATA_OFFSET_BYTES + 64 * 1024);
    writeFileSync(image, before);
  }
  expect(await isExportedHeader(image, header)).toBe(true);
  const begun = await begin('exported');
  await using opened = begun.image;
  using keys = begun.keys;
  expect(await goOn(opened, begun.header, keys, {})).toBe('finished');
  expect(readFileSync(image).subarray(0, DATA_BYTES).equals(plain)).toBe(true);
});

test('a detached header of something else is none', async () => {
  const before = readFileSync(image);
  writeFileSync(header, before.subarray(0, 32_768 + 512 * 1024));
  writeFileSync(image, before.fill(0x55, 0, 4096));
  expect(await isExportedHeader(image, header)).toBe(false);
});
