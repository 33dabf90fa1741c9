/** How many requests first writes to an origin cost: at most the kernel's. */

import { expect, test } from 'vitest';
import { Op } from '../../core/bio.ts';
import { SnapshotRig } from '../../testing/snapshot-rig.ts';
import { submitBio } from '../../testing/submit.ts';

const COWS = ['C1', 'C2', 'C3', 'C4', 'C5', 'C6', 'C7', 'C8'];

/** An origin of 64 chunks with a snapshot on each of `COWS`. */
async function start(chunksSectors: readonly number[]) {
  const cows = COWS.slice(0, chunksSectors.length);
  const rig = new SnapshotRig({
    sizes: { O: 512, ...Object.fromEntries(cows.map((name) => [name, 2048])) },
  });
  for (const [index, name] of cows.entries()) {
    await rig.start(`snap-${name}`, `0 512 snapshot O ${name} P ${chunksSectors[index]}`);
  }
  const origin = await rig.start('origin', '0 512 snapshot-origin O');
  const before = new Map([...rig.disks].map(([name, disk]) => [name, { ...disk.counts }]));
  const since = (name: string) => {
    const { read, write, flush } = rig.disk(name).counts;
    const old = before.get(name)!;
    return { read: read - old.read, write: write - old.write, flush: flush - old.flush };
  };
  const writeChunks = (chunkCount: number) =>
    Promise.all(
      Array.from({ length: chunkCount }, (_, chunk) =>
        submitBio(origin, {
          op: Op.write,
          sector: 8 * chunk,
          sectorCount: 8,
          data: new Uint8Array(4096).fill(1),
        }),
      ),
    );
  return { rig, cows, since, writeChunks };
}

test('one write, 8 snapshots: the chunk is read once, and written once for each with one write of metadata', async () => {
  const { rig, cows, since, writeChunks } = await start(COWS.map(() => 8));
  expect(await rig.run(writeChunks(1))).toEqual([0]);
  // The kernel reads it for each of them.
  expect(since('O')).toEqual({ read: 1, write: 1, flush: 0 });
  for (const cow of cows) expect(since(cow)).toEqual({ read: 0, write: 2, flush: 1 });
  // The next write to the chunk costs nothing but itself.
  expect(await rig.run(writeChunks(1))).toEqual([0]);
  expect(since('O')).toEqual({ read: 1, write: 2, flush: 0 });
});

test('writes under way together share their metadata', async () => {
  const { rig, cows, since, writeChunks } = await start(COWS.map(() => 8));
  expect(await rig.run(writeChunks(32))).toEqual(Array.from({ length: 32 }, () => 0));
  expect(since('O')).toEqual({ read: 32, write: 32, flush: 0 });
  for (const cow of cows) {
    const { read, write, flush } = since(cow);
    expect(read).toBe(0);
    expect(write - 32).toBeLessThanOrEqual(2);
    expect(flush).toBeLessThanOrEqual(2);
  }
});

test('chunks of other sizes are read for themselves', async () => {
  const { rig, since, writeChunks } = await start([8, 8, 16, 8]);
  expect(await rig.run(writeChunks(2))).toEqual([0, 0]);
  // Two chunks of 8 sectors, one of 16.
  expect(since('O')).toEqual({ read: 3, write: 2, flush: 0 });
  expect(since('C3').write).toBeLessThanOrEqual(1 + 2);
  expect(since('C4').write).toBeLessThanOrEqual(2 + 2);
});

test('one snapshot that fails takes no other along', async () => {
  const { rig, since, writeChunks } = await start([8, 8, 8]);
  rig.disk('C2').addFault({ op: Op.write, effect: { kind: 'error', errno: 5 } });
  expect(await rig.run(writeChunks(1))).toEqual([0]);
  expect(since('O')).toMatchObject({ read: 1, write: 1 });
  const statuses = ['C1', 'C2', 'C3'].map((name) => rig.status(`snap-${name}`));
  expect(statuses).toEqual(['24/2048 16', 'Invalid', '24/2048 16']);
});
