import { describe, expect, test } from 'vitest';
import { createPrng } from '../../base/prng.ts';
import { Op } from '../../core/bio.ts';
import { encodeHeader } from '../../formats/snapshot/header.ts';
import { type RigOptions, StoreRig, type TestException } from '../../testing/store-rig.ts';

const prng = createPrng(1);

async function opened(options: Partial<RigOptions> = {}): Promise<StoreRig> {
  const rig = new StoreRig({ sizeSectors: 2048, prng, ...options });
  expect(await rig.open()).toBe('valid');
  return rig;
}

async function addMany(rig: StoreRig, count: number): Promise<(TestException | null)[]> {
  const added: (TestException | null)[] = [];
  for (let i = 0; i < count; i += 1) added.push(await rig.add(i));
  return added;
}

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
    const rig = await opened({ chunkSectors });
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

describe('filling up', () => {
  // Kernel 6.12: one write of 4 KiB after the other, until the snapshot is Invalid; the status after each.
  test.each([
    { sizeSectors: 16, exceptions: 0, status: '16/16 16' },
    { sizeSectors: 24, exceptions: 1, status: '24/24 16' },
    { sizeSectors: 2072, exceptions: 256, status: '2072/2072 24' },
    { sizeSectors: 2080, exceptions: 257, status: '2080/2080 24' },
    { sizeSectors: 2088, exceptions: 258, status: '2088/2088 24' },
  ])('$sizeSectors sectors', async ({ sizeSectors, exceptions, status }) => {
    const rig = await opened({ sizeSectors });
    const added = await addMany(rig, exceptions + 1);
    expect(added.slice(0, -1).every((exception) => exception?.errno === 0)).toBe(true);
    expect(added.at(-1)).toBeNull();
    expect(rig.status()).toBe(status);
    await rig.open();
    expect(rig.loaded.length).toBe(exceptions);
    expect(rig.status()).toBe(status);
  });

  test('a last area without room for another is lost when it is full', async () => {
    const rig = await opened({ sizeSectors: 2064 });
    const added = await addMany(rig, 256);
    expect(rig.status().startsWith('2072/2064')).toBe(true);
    expect(added.slice(0, -1).every((exception) => exception?.errno === 0)).toBe(true);
    expect(added.at(-1)?.errno).toBe(5);
    await rig.open();
    expect(rig.loaded.length).toBe(255);
  });

  test.each([
    { sizeSectors: 16, statuses: ['8/16 0', '16/16 0', null] },
    { sizeSectors: 20, statuses: ['8/20 0', '16/20 0', null] },
    { sizeSectors: 24, statuses: ['8/24 0', '16/24 0', '24/24 0', null] },
  ])('a transient store on $sizeSectors sectors', async ({ sizeSectors, statuses }) => {
    const rig = await opened({ sizeSectors, kind: 'transient' });
    expect(rig.status()).toBe(`0/${sizeSectors} 0`);
    const chunks: number[] = [];
    for (const status of statuses) {
      const exception = await rig.add(chunks.length);
      if (exception) chunks.push(exception.newChunk);
      expect(exception && rig.status()).toBe(status);
    }
    expect(chunks).toEqual(chunks.map((_, index) => index));
    expect(rig.disk.counts.flush).toBe(0);
    expect(rig.store.merging).toBeNull();
  });
});

describe.each(['persistent', 'transient'] as const)('the order of a %s store', (kind) => {
  test('is that of preparation, whatever order copies end in', async () => {
    const rig = await opened({ kind });
    const prepared = [4, 9, 2, 7].map((chunk) => rig.prepare(chunk)!);
    for (const index of [2, 1, 3]) rig.store.commitException(prepared[index]!, true);
    await rig.clock.runUntilIdle();
    expect(rig.told).toEqual([]);
    rig.store.commitException(prepared[0]!, true);
    await rig.clock.runUntilIdle();
    expect(rig.told).toEqual(prepared);
    expect(rig.told.map(({ errno }) => errno)).toEqual([0, 0, 0, 0]);
  });

  test('after a copy that failed nothing is kept', async () => {
    const rig = await opened({ kind });
    const kept = await rig.add(1);
    const prepared = [4, 9, 2].map((chunk) => rig.prepare(chunk)!);
    prepared.forEach((exception, index) => {
      rig.store.commitException(exception, index !== 1);
    });
    await rig.clock.runUntilIdle();
    expect(kept?.errno).toBe(0);
    expect(rig.told.slice(1)).toEqual(prepared);
    expect(prepared[1]!.errno).not.toBe(0);
    expect((await rig.add(5))?.errno).not.toBe(0);
    if (kind === 'transient') return;
    await rig.open();
    expect(rig.loaded).toEqual([[1, 2]]);
  });
});

describe('writes of metadata', () => {
  test('one for all that was prepared together', async () => {
    const rig = await opened();
    const { write, flush } = { ...rig.disk.counts };
    const prepared = [1, 2, 3, 4].map((chunk) => rig.prepare(chunk)!);
    for (const exception of prepared) await rig.copy(exception);
    await rig.clock.runUntilIdle();
    expect(rig.told.length).toBe(4);
    expect(rig.disk.counts.flush - flush).toBe(1);
    expect(rig.disk.counts.write - write).toBe(4 + 1);
  });

  test('of large areas only what changed', async () => {
    const rig = await opened({ sizeSectors: 8192, chunkSectors: 1024 });
    await rig.add(1);
    const written = rig.disk.history.filter((line) => line.includes('write 1024+'));
    expect(written.map((line) => line.replace(/.*ms: /, ''))).toEqual(['write 1024+8 fua ok']);
  });

  test('one that fails breaks the store', async () => {
    const rig = await opened();
    await rig.add(1);
    const remove = rig.disk.addFault({
      op: Op.write,
      startSectors: 8,
      lengthSectors: 8,
      effect: { kind: 'error', errno: 28 },
    });
    expect((await rig.add(2))?.errno).toBe(28);
    remove();
    expect((await rig.add(3))?.errno).toBe(5);
    await rig.open();
    expect(rig.loaded).toEqual([[1, 2]]);
  });

  test('a dropped snapshot stays dropped', async () => {
    const rig = await opened();
    await rig.add(1);
    const pending = rig.prepare(2)!;
    expect(await rig.store.dropSnapshot()).toBe(true);
    rig.store.commitException(pending, true);
    await rig.clock.runUntilIdle();
    expect(pending.errno).not.toBe(0);
    expect(await rig.open()).toBe('invalid');
    expect([...rig.disk.peek(0, 1).subarray(0, 16)]).toEqual([
      0x53, 0x6e, 0x41, 0x70, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0,
    ]);
  });

  test('a header that cannot be written is said', async () => {
    const rig = await opened();
    rig.disk.addFault({ op: Op.write, effect: { kind: 'error', errno: 5 } });
    expect(await rig.store.dropSnapshot()).toBe(false);
  });
});

/** A write of several blocks of an area that was torn: a later one arrived, an earlier did not. */
test('what lies behind the end never comes up again', async () => {
  const rig = await opened({ sizeSectors: 16384, chunkSectors: 32 });
  await addMany(rig, 250);
  const area = rig.disk.peek(32, 32);
  const halves = new BigUint64Array(area.buffer);
  halves.set([9000n, 252n, 9001n, 253n], 2 * 256);
  rig.disk.poke(32, area);
  await rig.open();
  expect(rig.loaded.length).toBe(250);
  for (let chunk = 300; chunk < 306; chunk += 1) await rig.add(chunk);
  await rig.open();
  expect(rig.loaded.slice(250).map(([oldChunk]) => oldChunk)).toEqual([
    300, 301, 302, 303, 304, 305,
  ]);
});

describe('merging', () => {
  test('takes runs off the end, within an area', async () => {
    const rig = await opened({ sizeSectors: 300, chunkSectors: 1 });
    // The first area has 32: the run over its border is two.
    for (const chunk of [9, ...Array.from({ length: 33 }, (_, index) => 100 + index), 5, 6]) {
      await rig.add(chunk);
    }
    const { merging } = rig.store;
    const runs: unknown[] = [];
    for (let run = await merging!.prepareMerge(); run; run = await merging!.prepareMerge()) {
      expect(await merging!.prepareMerge()).toEqual(run);
      await merging!.commitMerge(run.chunkCount);
      runs.push([run.oldChunk, run.newChunk, run.chunkCount, rig.status()]);
    }
    expect(runs).toEqual([
      [5, 37, 2, '37/300 3'],
      [131, 35, 2, '35/300 3'],
      [100, 3, 31, '3/300 2'],
      [9, 2, 1, '2/300 2'],
    ]);
    await rig.open();
    expect(rig.loaded).toEqual([]);
  });

  test('clears what it takes off a block that it shares with others', async () => {
    const rig = await opened({ sizeSectors: 16384, chunkSectors: 32 });
    await addMany(rig, 255);
    for (let chunk = 1000; chunk < 1004; chunk += 1) await rig.add(chunk);
    expect(await rig.store.merging!.prepareMerge()).toMatchObject({ chunkCount: 4 });
    await rig.store.merging!.commitMerge(4);
    await rig.open();
    expect(rig.loaded.length).toBe(255);
  });

  test('does not give chunks again that may have data still', async () => {
    const rig = await opened();
    for (const chunk of [1, 3, 5]) await rig.add(chunk);
    await rig.store.merging!.prepareMerge();
    await rig.store.merging!.commitMerge(1);
    expect(rig.prepare(9)!.newChunk).toBe(5);
  });

  test('a write that fails changes nothing', async () => {
    const rig = await opened();
    for (const chunk of [1, 3]) await rig.add(chunk);
    const run = await rig.store.merging!.prepareMerge();
    const remove = rig.disk.addFault({ op: Op.write, effect: { kind: 'error', errno: 5 } });
    await expect(rig.store.merging!.commitMerge(1)).rejects.toThrow('EIO');
    remove();
    expect(await rig.store.merging!.prepareMerge()).toEqual(run);
  });
});

test('a device that grows has room again, also when another table opened it', async () => {
  const rig = await opened({ sizeSectors: 24 });
  await rig.add(1);
  expect(rig.prepare(2)).toBeNull();
  const larger = new StoreRig({ sizeSectors: 48, prng });
  larger.disk.poke(0, rig.disk.peek(0, 24));
  rig.store.handOver(larger.disk);
  const exception = rig.prepare(2)!;
  rig.store.commitException(exception, true);
  await rig.clock.runUntilIdle();
  expect(exception.errno).toBe(0);
  expect(rig.status()).toBe('32/48 16');
  await larger.open();
  expect(larger.loaded).toEqual([
    [1, 2],
    [2, 3],
  ]);
});
