/** COW devices that a 6.12 kernel made (snapshot/make-images.sh) are read with the exceptions that they must have, and go on. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import { StoreRig } from '../../src/testing/store-rig.ts';

const folder = fileURLToPath(new URL('./snapshot/', import.meta.url));
const statuses = JSON.parse(readFileSync(`${folder}statuses.json`, 'utf8')) as Record<string, string>;

/** Chunk after chunk of data, without those that are areas. */
function pairs(oldChunks: readonly number[]): [number, number][] {
  return oldChunks.map((chunk, index) => [chunk, index < 256 ? index + 2 : index + 3]);
}

const cases = [
  { name: 'blank', chunkSectors: 8, oldChunks: [] },
  { name: 'few', chunkSectors: 8, oldChunks: [5, 6, 7, 100, 3] },
  { name: 'chunk-16', chunkSectors: 16, oldChunks: [4, 100] },
  { name: 'two-areas', chunkSectors: 8, oldChunks: Array.from({ length: 300 }, (_, i) => i) },
  // Chunks 50 and 51 went to the origin; chunk 3 could not.
  { name: 'half-merged', chunkSectors: 8, oldChunks: [5, 6, 7, 100, 3] },
];

function rigWith(name: string): { rig: StoreRig; image: Uint8Array } {
  const image = new Uint8Array(gunzipSync(readFileSync(`${folder}${name}.img.gz`)));
  const rig = new StoreRig({ sizeSectors: image.byteLength / 512, prng: createPrng(1) });
  rig.disk.poke(0, image);
  return { rig, image };
}

test.each(cases)('$name', async ({ name, chunkSectors, oldChunks }) => {
  const { rig, image } = rigWith(name);
  expect(await rig.open()).toBe('valid');
  expect(rig.chunkSectors).toBe(chunkSectors);
  expect(rig.loaded).toEqual(pairs(oldChunks));
  expect(Buffer.compare(rig.disk.peek(0, image.byteLength / 512), image)).toBe(0);
  // A merge that failed says so instead of numbers.
  if (statuses[name] !== 'Merge failed') expect(rig.status()).toBe(statuses[name]);
  const added = await rig.add(2000);
  expect(added?.errno).toBe(0);
  await rig.open();
  expect(rig.loaded).toEqual(pairs([...oldChunks, 2000]));
});

test('the data of each exception lie where it says', () => {
  for (const { name, chunkSectors, oldChunks } of cases.filter(({ name }) => name !== 'chunk-16')) {
    const { image } = rigWith(name);
    const written = pairs(oldChunks).map(([, chunk]) => image[chunk * chunkSectors * 512]);
    expect(written.every((byte) => byte === 'z'.charCodeAt(0)), name).toBe(true);
  }
});

test('a snapshot that was dropped', async () => {
  const { rig } = rigWith('dropped');
  expect(statuses['dropped']).toBe('Invalid');
  expect(await rig.open()).toBe('invalid');
  expect(rig.loaded).toEqual([]);
});

test('what we make of a blank device is what the kernel makes, byte for byte', async () => {
  const { rig, image } = rigWith('few');
  rig.disk.poke(0, new Uint8Array(image.byteLength));
  await rig.open();
  for (const chunk of [5, 6, 7, 100, 3]) {
    const exception = rig.prepare(chunk)!;
    const from = exception.newChunk * 4096;
    rig.disk.poke(exception.newChunk * 8, image.slice(from, from + 4096));
    rig.store.commitException(exception, true);
    await rig.clock.runUntilIdle();
  }
  expect(Buffer.compare(rig.disk.peek(0, image.byteLength / 512), image)).toBe(0);
});
