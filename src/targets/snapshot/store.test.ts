import { describe, expect, test } from 'vitest';
import { createPrng } from '../../base/prng.ts';
import { Op } from '../../core/bio.ts';
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

  test('what is being written when it is dropped is not kept either', async () => {
    const rig = await opened({ hasLatency: true });
    const pending = rig.prepare(2)!;
    await rig.clock.advance(0);
    rig.store.commitException(pending, true);
    const dropping = rig.store.dropSnapshot();
    await rig.clock.runUntilIdle();
    expect(await dropping).toBe(true);
    expect(pending.errno).toBe(5);
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
  expect(await rig.store.merging!.prepareMerge()).toEqual({
    oldChunk: 1,
    newChunk: 2,
    chunkCount: 2,
  });
  await larger.open();
  expect(larger.loaded).toEqual([
    [1, 2],
    [2, 3],
  ]);
});
