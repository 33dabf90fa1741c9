import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFileDisk } from '../devices/byte-disk.ts';
import { loadSystem } from '../system/index.ts';
import { fileImage } from './base-image.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'devmapper-crashtest-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('an image is read by sectors; what is missing of the last one is zeroes', () => {
  const path = join(folder, 'image');
  writeFileSync(path, Buffer.concat([Buffer.alloc(512, 1), Buffer.alloc(100, 2)]));
  const image = fileImage(path);
  expect(image).toMatchObject({ sizeSectors: 2, isBlank: false });
  const target = new Uint8Array(1030).fill(7);
  image.read(0, 2, target, 6);
  expect([...target.subarray(0, 7)]).toEqual([7, 7, 7, 7, 7, 7, 1]);
  expect([...target.subarray(6 + 512 + 99, 6 + 512 + 101)]).toEqual([2, 0]);
  expect(target.at(-1)).toBe(0);
  image.close();
});

test('an image that is none is refused', () => {
  expect(() => fileImage(join(folder, 'missing'))).toThrow(/Cannot open .*missing": no such file/);
  const empty = join(folder, 'empty');
  writeFileSync(empty, '');
  expect(() => fileImage(empty)).toThrow(/Cannot use .*empty as a disk: it is empty/);
  expect(() => fileImage(folder)).toThrow(/expected a file with a raw image/);
});

test('an image is refused while somebody writes it, where there are locks, and may be read by many', async () => {
  const path = join(folder, 'busy');
  writeFileSync(path, new Uint8Array(4096));
  const writer = await openFileDisk(path, { readOnly: false, lock: 'image' });
  if (loadSystem() === null) fileImage(path).close();
  else expect(() => fileImage(path)).toThrow(/another program holds it/);
  await writer.close();
  const [one, other] = [fileImage(path), fileImage(path)];
  one.close();
  other.close();
});
