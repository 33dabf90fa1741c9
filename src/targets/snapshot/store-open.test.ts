import { describe, expect, test } from 'vitest';
import { createPrng } from '../../base/prng.ts';
import { encodeHeader } from '../../formats/snapshot/header.ts';
import { StoreRig } from '../../testing/store-rig.ts';

const prng = createPrng(1);

/** Header and area as bytes. */
function poke(rig: StoreRig, header: Uint8Array, exceptions: readonly (readonly bigint[])[] = []) {
  const area = new BigUint64Array(8 * 64);
  exceptions.flat().forEach((half, index) => {
    area[index] = half;
  });
  const first = new Uint8Array(512);
  first.set(header);
  rig.disk.poke(0, first);
  rig.disk.poke(8, new Uint8Array(area.buffer));
}

const header8 = encodeHeader({ isValid: true, chunkSectors: 8 });

describe('a new store', () => {
  // What a 6.12 kernel's status says right after it made one.
  test.each([
    { chunkSectors: 0, status: '64/2048 64', final: 32 },
    { chunkSectors: 1, status: '2/2048 2', final: 1 },
    { chunkSectors: 8, status: '16/2048 16', final: 8 },
    { chunkSectors: 1024, status: '2048/2048 2048', final: 1024 },
  ])('of chunks of $chunkSectors sectors', async ({ chunkSectors, status, final }) => {
    const rig = new StoreRig({ sizeSectors: 2048, prng, chunkSectors });
    expect(await rig.open()).toBe('valid');
    expect(rig.status()).toBe(status);
    expect(rig.chunkSectors).toBe(final);
    const again = await rig.open();
    expect(again).toBe('valid');
    expect(rig.loaded).toEqual([]);
    expect(rig.status()).toBe(status);
  });

  test('header, zeros to the end of the area, and what was there behind', async () => {
    const rig = new StoreRig({ sizeSectors: 64, prng });
    const old = prng.fill(new Uint8Array(64 * 512));
    old.fill(0, 0, 4);
    rig.disk.poke(0, old);
    await rig.open();
    const wanted = old.slice();
    wanted.fill(0, 0, 2 * 4096);
    wanted.set([0x53, 0x6e, 0x41, 0x70, 1, 0, 0, 0, 1, 0, 0, 0, 8]);
    expect(Buffer.compare(rig.disk.peek(0, 64), wanted)).toBe(0);
  });

  test.each([0, 8, 15])('no room for header and area: %i sectors', async (sizeSectors) => {
    const rig = new StoreRig({ sizeSectors, prng });
    await expect(rig.open()).rejects.toThrow('Failed to read snapshot metadata: ');
    expect(rig.disk.counts.write).toBe(0);
  });
});

describe('what a store is refused or taken for', () => {
  const raw = (...words: number[]) => new Uint8Array(Uint32Array.from(words).buffer);
  const [magic, version] = [0x70416e53, 1];

  test.each([
    {
      name: 'another magic',
      header: raw(0x70416e58, 1, version, 8),
      code: 'ENXIO',
      words: 'Invalid or corrupt snapshot',
    },
    {
      name: 'version 2',
      header: raw(magic, 1, 2, 8),
      code: 'EINVAL',
      words: 'unable to handle snapshot disk version 2',
    },
    {
      name: 'version 2, dropped',
      header: raw(magic, 0, 2, 8),
      code: 'EINVAL',
      words: 'unable to handle snapshot disk version 2',
    },
    {
      name: 'chunk 7',
      header: raw(magic, 1, version, 7),
      code: 'EINVAL',
      words: 'invalid on-disk chunk size 7: Chunk size is not a power of 2',
    },
    {
      name: 'chunk 0',
      header: raw(magic, 1, version, 0),
      code: 'EINVAL',
      words: 'invalid on-disk chunk size 0: Chunk size is not a power of 2',
    },
    {
      name: 'chunk 2^22',
      header: raw(magic, 1, version, 2 ** 22),
      code: 'EINVAL',
      words: 'Chunk size is too high',
    },
    {
      name: 'chunk 2^31',
      header: raw(magic, 1, version, 2 ** 31),
      code: 'EINVAL',
      words: 'Chunk size is too high',
    },
    {
      name: 'an area beyond the end',
      header: raw(magic, 1, version, 2048),
      code: 'EIO',
      words: 'area 0 of the exception store on "sim"',
    },
  ])('$name', async ({ header, code, words }) => {
    const rig = new StoreRig({ sizeSectors: 2048, prng, chunkSectors: 16 });
    poke(rig, header);
    const before = rig.disk.peek(0, 2048);
    await expect(rig.open()).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
    });
    await expect(rig.open()).rejects.toThrow('Failed to read snapshot metadata');
    expect(Buffer.compare(rig.disk.peek(0, 2048), before)).toBe(0);
  });

  test.each([0, 1, 2])('valid: %i', async (valid) => {
    const rig = new StoreRig({ sizeSectors: 2048, prng });
    poke(rig, raw(magic, valid, version, 8), [[5n, 2n]]);
    expect(await rig.open()).toBe(valid === 0 ? 'invalid' : 'valid');
    expect(rig.loaded).toEqual(valid === 0 ? [] : [[5, 2]]);
  });

  test('the chunk size of the disk counts', async () => {
    const rig = new StoreRig({ sizeSectors: 2048, prng, chunkSectors: 16 });
    poke(rig, header8, [[0n, 2n]]);
    await rig.open();
    expect(rig.chunkSectors).toBe(8);
    expect(rig.status()).toBe('24/2048 16');
  });

  test.each([
    { name: 'the first chunk behind the device', exception: [0n, 256n] },
    { name: 'an area', exception: [0n, 1n] },
    { name: 'the second area', exception: [0n, 258n] },
    { name: '2^63', exception: [0n, 2n ** 63n] },
    { name: '2^64 - 1', exception: [0n, 2n ** 64n - 1n] },
    { name: 'a chunk of the origin that no disk has', exception: [2n ** 63n, 2n] },
  ])('an exception with $name', async ({ exception }) => {
    const rig = new StoreRig({ sizeSectors: 2048, prng });
    poke(rig, header8, [[7n, 2n], exception]);
    await expect(rig.open()).rejects.toThrow(
      /Failed to read snapshot metadata: .*area 0, exception 1, (old|new) chunk at byte/,
    );
  });

  test('the last chunk there is', async () => {
    const rig = new StoreRig({ sizeSectors: 2048 + 7, prng });
    poke(rig, header8, [[7n, 255n]]);
    await rig.open();
    expect(rig.loaded).toEqual([[7, 255]]);
    expect(rig.prepare(8)).toBeNull();
  });
});
