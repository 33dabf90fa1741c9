/** snapshot, snapshot-origin and snapshot-merge as a user has them, over simulated disks. */

import { describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { BioFlag, Op } from '../../core/bio.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import { uniformLatency } from '../../devices/simulated-faults.ts';
import { numberedSectors, numbersOf, SnapshotRig } from '../../testing/snapshot-rig.ts';
import { readExtents, readSectors, submitBio } from '../../testing/submit.ts';

const SIZE = 512;

async function createRig(store = 'P 8', sizes = { O: SIZE, C: 1024, D: 1024, E: 1024 }) {
  const rig = new SnapshotRig({ sizes, latency: uniformLatency(0.1, 3) });
  rig.fill('O', 1000);
  await rig.start('real', `0 ${SIZE} linear O 0`);
  const disk = await rig.start('disk', `0 ${SIZE} snapshot-origin mapper/real`);
  const before = await rig.start('before', `0 ${SIZE} snapshot mapper/real C ${store}`);
  return { rig, disk, before };
}

function write(device: MappedDevice, sector: number, first: number, sectorCount: number) {
  const data = numberedSectors(first, sectorCount);
  return submitBio(device, { op: Op.write, sector, sectorCount, data });
}

async function numbers(rig: SnapshotRig, device: MappedDevice, sector = 0, sectorCount = SIZE) {
  return numbersOf(await rig.run(readSectors(device, sector, sectorCount)));
}

const count = (first: number, length: number) =>
  Array.from({ length }, (_, index) => first + index);
const ORIGINAL = count(1000, SIZE);

describe('snapshot', () => {
  test('shows what was there, and the numbers of the kernel', async () => {
    const { rig, disk, before } = await createRig('P 16');
    expect(rig.status('before')).toBe('32/1024 32');
    expect(await rig.run(write(disk, 3, 1, 1))).toBe(0);
    expect(await rig.run(write(disk, 40, 2, 20))).toBe(0);
    expect(rig.status('before')).toBe('80/1024 32');
    expect(await numbers(rig, before)).toEqual(ORIGINAL);
    const changed = ORIGINAL.with(3, 1);
    changed.splice(40, 20, ...count(2, 20));
    expect(await numbers(rig, disk)).toEqual(changed);
    expect(before.live!.rows[0]!.target.table()).toBe('252:0 C P 16');
  });

  test('keeps what is written to it, and shows it again from the COW device', async () => {
    const { rig, disk, before } = await createRig();
    expect(await rig.run(write(before, 8, 1, 8))).toBe(0);
    expect(await rig.run(write(before, 21, 50, 5))).toBe(0);
    const changed = [...ORIGINAL];
    changed.splice(8, 8, ...count(1, 8));
    changed.splice(21, 5, ...count(50, 5));
    expect(await numbers(rig, before)).toEqual(changed);
    expect(await numbers(rig, disk)).toEqual(ORIGINAL);
    await rig.run(rig.mapper.remove(before));
    const again = await rig.start('again', `0 ${SIZE} snapshot mapper/real C P 8`);
    expect(await numbers(rig, again)).toEqual(changed);
    expect(rig.status('again')).toBe('40/1024 16');
    expect(rig.reports).toEqual([]);
    await rig.run(rig.mapper.remove(again));
    const other = await rig.start('other', `0 ${SIZE} snapshot mapper/real C P 32`);
    expect(await numbers(rig, other)).toEqual(changed);
    expect(rig.reports).toEqual([
      'other: snapshot: chunk size 8 in device metadata overrides table chunk size of 32, on C',
    ]);
  });

  test('that is not persistent has no metadata, and forgets', async () => {
    const { rig, disk, before } = await createRig('N 8');
    expect(rig.status('before')).toBe('0/1024 0');
    await rig.run(write(disk, 0, 1, 8));
    expect([rig.status('before'), await numbers(rig, before)]).toEqual(['8/1024 0', ORIGINAL]);
  });

  test('a full COW device makes it invalid, with an event, and the origin goes on', async () => {
    const sizes = { O: SIZE, C: 32, D: 8, E: 8 };
    const { rig, disk, before } = await createRig('P 8', sizes);
    expect(await rig.run(write(disk, 0, 1, 16))).toBe(0);
    expect(rig.status('before')).toBe('32/32 16');
    const events = before.eventNumber;
    expect(await rig.run(write(disk, 16, 1, 1))).toBe(0);
    expect([rig.status('before'), before.eventNumber]).toEqual(['Invalid', events + 1]);
    expect(rig.reports).toEqual([
      'before: snapshot: Invalidating snapshot: Unable to allocate exception: C is full',
    ]);
    const data = new Uint8Array(512);
    expect(await rig.run(submitBio(before, { op: Op.read, sectorCount: 1, data }))).toBe(Errno.EIO);
    expect(await rig.run(write(before, 0, 1, 1))).toBe(Errno.EIO);
    await rig.run(rig.mapper.remove(before));
    await rig.start('again', `0 ${SIZE} snapshot mapper/real C P 8`);
    expect(rig.status('again')).toBe('Invalid');
    expect(rig.reports[1]).toBe('again: snapshot: Snapshot is marked invalid on C');
  });

  test('a read that is under way when it becomes invalid fails rather than show what was written since', async () => {
    const { rig, disk, before } = await createRig('P 8', { O: SIZE, C: 20, D: 8, E: 8 });
    const origin = rig.disk('O');
    origin.addFault({ op: Op.read, nth: 1, effect: { kind: 'stall' } });
    const data = new Uint8Array(512);
    const read = submitBio(before, { op: Op.read, sectorCount: 1, data });
    expect(await rig.run(write(disk, 0, 1, 1))).toBe(0);
    expect(rig.status('before')).toBe('Invalid');
    origin.unstall();
    expect(await rig.run(read)).toBe(Errno.EIO);
  });

  test('with PO, a full COW device refuses writes and nothing else', async () => {
    const { rig, before } = await createRig('PO 8', { O: SIZE, C: 24, D: 8, E: 8 });
    expect(await rig.run(write(before, 0, 1, 8))).toBe(0);
    expect(await rig.run(write(before, 8, 1, 8))).toBe(Errno.EIO);
    expect(rig.status('before')).toBe('Overflow');
    expect(await rig.run(write(before, 0, 1, 8))).toBe(Errno.EIO);
    expect(await numbers(rig, before, 0, 9)).toEqual([...count(1, 8), 1008]);
  });

  test('several, of different chunks, each get what they need once', async () => {
    const { rig, disk, before } = await createRig();
    const coarse = await rig.start('coarse', `0 ${SIZE} snapshot mapper/real D P 64`);
    await rig.run(write(disk, 60, 1, 10));
    const fine = await rig.start('fine', `0 ${SIZE} snapshot mapper/real E N 1`);
    await rig.run(write(disk, 62, 100, 4));
    const changed = [...ORIGINAL];
    changed.splice(60, 10, ...count(1, 10));
    expect(await numbers(rig, before)).toEqual(ORIGINAL);
    expect(await numbers(rig, coarse)).toEqual(ORIGINAL);
    expect(await numbers(rig, fine)).toEqual(changed);
    expect(['before', 'coarse', 'fine'].map((name) => rig.status(name))).toEqual([
      '32/1024 16',
      '256/1024 128',
      '4/1024 0',
    ]);
  });

  test('becomes active between writes to the origin, not during one', async () => {
    const { rig, disk } = await createRig();
    await rig.load('late', `0 ${SIZE} snapshot mapper/real D P 8`);
    await rig.run(write(disk, 0, 500, 8));
    const free = rig.disk('O').addFault({ effect: { kind: 'stall' }, op: Op.write });
    const written = write(disk, 0, 1, 8);
    await rig.clock.advance(20);
    const late = rig.mapper.get('late');
    const resumed = late.resume();
    await rig.clock.advance(20);
    // It would show what was there before the write, and later what was written.
    expect(late.suspended).toBe(true);
    const following = write(disk, 8, 600, 8);
    free();
    rig.disk('O').unstall();
    expect(await rig.run(Promise.all([written, following, resumed]))).toEqual([0, 0, undefined]);
    const wanted = [...count(1, 8), ...ORIGINAL.slice(8)];
    expect(await numbers(rig, late)).toEqual(wanted);
  });

  test('a flush goes to the COW device alone', async () => {
    const { rig, before } = await createRig();
    const [origin, cow] = [rig.disk('O').counts.flush, rig.disk('C').counts.flush];
    expect(await rig.run(submitBio(before, { op: Op.flush }))).toBe(0);
    expect([rig.disk('O').counts.flush, rig.disk('C').counts.flush]).toEqual([origin, cow + 1]);
  });

  test('other threads may read past it until something changes', async () => {
    const { rig, disk, before } = await createRig();
    const { target } = before.live!.rows[0]!;
    expect(target.passThrough!()).toMatchObject({ sectors: 0, ops: 'reads' });
    await rig.run(write(disk, 0, 1, 1));
    expect(target.passThrough!()).toBeNull();
  });

  test('a row that begins anywhere shows the same sectors of the origin', async () => {
    const { rig } = await createRig();
    const table = `0 5 zero\n5 100 snapshot mapper/real D P 16`;
    const odd = await rig.start('odd', table);
    expect(await rig.run(write(odd, 7, 1, 40))).toBe(0);
    const wanted = [0, 0, 0, 0, 0, 1005, 1006, ...count(1, 40), ...count(1047, 58)];
    const got = await numbers(rig, odd, 0, 105);
    expect(got).toEqual(wanted);
  });

  test('answers where data are from the device that has them', async () => {
    const { rig, disk, before } = await createRig();
    expect(await rig.run(readExtents(before, 0, SIZE))).toHaveLength(1);
    await rig.run(submitBio(disk, { op: Op.writeZeroes, sector: 8, sectorCount: 8 }));
    const extents = await rig.run(readExtents(before, 0, 24));
    expect(extents).toEqual([{ offsetSectors: 0, lengthSectors: 24, flags: 0 }]);
  });

  test('what must be fast is not written slowly', async () => {
    const { rig, disk, before } = await createRig();
    for (const device of [disk, before]) {
      const flags = BioFlag.fastZero;
      const request = { op: Op.writeZeroes, sectorCount: 8, flags };
      expect(await rig.run(submitBio(device, request))).toBe(Errno.ENOTSUP);
    }
    expect(rig.status('before')).toBe('16/1024 16');
  });
});

/** What a 6.12 kernel printed for the same steps, with other disks' names. */
test('every step has the numbers of the kernel', async () => {
  const size = 32768;
  const rig = new SnapshotRig({ sizes: { O: size, C: 8192, D: 8192 } });
  await rig.start('real', `0 ${size} linear O 0`);
  await rig.start('disk', `0 ${size} snapshot-origin mapper/real`);
  await rig.start('a', `0 ${size} snapshot mapper/real C P 8`);
  await rig.start('b', `0 ${size} snapshot mapper/real D P 32`);
  const steps = [
    ['disk', 0, 1, 24, 96],
    ['disk', 0, 8, 24, 96],
    ['disk', 7, 2, 32, 96],
    ['disk', 100, 64, 104, 192],
    ['a', 0, 8, 104, 192],
    ['a', 1000, 3, 112, 192],
    ['b', 1000, 32, 112, 256],
    ['b', 1040, 16, 112, 256],
    ['disk', 1000, 8, 112, 256],
    ['disk', 2000, 700, 816, 992],
    ['a', 16384, 600, 1416, 992],
    ['disk', 3000, 1, 1424, 1024],
  ] as const;
  for (const [name, sector, sectorCount, ofA, ofB] of steps) {
    expect(await rig.run(write(rig.mapper.get(name), sector, 1, sectorCount))).toBe(0);
    const got = [rig.status('a'), rig.status('b')];
    expect(got, `${name} ${sector}+${sectorCount}`).toEqual([`${ofA}/8192 16`, `${ofB}/8192 64`]);
  }
  await rig.load('disk', `0 ${size} snapshot-merge mapper/real C P 8`);
  const waiting = rig.mapper.get('disk').inactive!.rows[0]!.target;
  expect([waiting.table(), waiting.status!()]).toEqual(['252:0 C P 0', '0/8192 0']);
  await rig.run(rig.mapper.get('a').suspend());
  await rig.run(rig.mapper.get('disk').resume());
  await rig.run(rig.mapper.get('a').resume());
  expect([rig.mapper.get('a').live!.rows[0]!.target.table(), rig.status('a')]).toEqual([
    '252:0 C P 0',
    'Invalid',
  ]);
  await rig.clock.advance(1000);
  expect([rig.status('disk'), rig.status('b')]).toEqual(['16/8192 16', '1632/8192 64']);
  expect(await rig.run(write(rig.mapper.get('disk'), 5000, 1, 100))).toBe(0);
  expect(rig.status('b')).toBe('1760/8192 64');
  await rig.start('disk', `0 ${size} snapshot-origin mapper/real`);
  expect(await rig.run(write(rig.mapper.get('disk'), 6000, 1, 20))).toBe(0);
  expect(rig.status('b')).toBe('1824/8192 64');
  expect(rig.mapper.get('b').live!.rows[0]!.target.measure!()).toBe(
    'snap_origin_name=252:0,snap_cow_name=251:2,snap_valid=y,snap_merge_failed=n,snapshot_overflowed=n',
  );
});

describe('discard', () => {
  const discard = (sector: number, sectorCount: number) => ({
    op: Op.discard,
    sector,
    sectorCount,
  });

  test('is refused without the feature, and by the origin', async () => {
    const { rig, disk, before } = await createRig();
    expect(await rig.run(submitBio(before, discard(0, 8)))).toBe(Errno.ENOTSUP);
    expect(await rig.run(submitBio(disk, discard(0, 8)))).toBe(Errno.ENOTSUP);
    expect([before, disk].map((device) => device.limits.discardGranularityBytes)).toEqual([0, 0]);
  });

  test('zeroes whole chunks that have an exception', async () => {
    const { rig, before } = await createRig('P 8 1 discard_zeroes_cow');
    // As in the kernel, whose granularity is the chunk's number of sectors, or a block.
    expect(before.limits).toMatchObject({ discardGranularityBytes: 512, maxDiscardSectors: 8 });
    await rig.run(write(before, 8, 1, 16));
    expect(await rig.run(submitBio(before, discard(4, 16)))).toBe(0);
    // As in the kernel, the COW device is asked to discard the part of a chunk.
    expect(await numbers(rig, before, 0, 25)).toEqual([
      ...count(1000, 8),
      ...count(0, 12).map(() => 0),
      ...count(13, 4),
      1024,
    ]);
    expect(rig.status('before')).toBe('32/1024 16');
    expect(rig.disk('O').counts.discard).toBe(0);
  });

  test('goes to the origin too where that is asked for', async () => {
    const { rig, before } = await createRig('P 8 2 discard_zeroes_cow discard_passdown_origin');
    await rig.run(write(before, 8, 1, 8));
    expect(await rig.run(submitBio(before, discard(0, 16)))).toBe(0);
    expect(rig.disk('O').counts.discard).toBe(2);
    expect(await numbers(rig, before, 0, 17)).toEqual([...count(0, 16).map(() => 0), 1016]);
  });
});
