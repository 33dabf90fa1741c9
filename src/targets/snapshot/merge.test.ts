/** Tables that take over from each other in the order that lvm uses, and merges, over simulated disks. */

import { describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { Op } from '../../core/bio.ts';
import type { Fault } from '../../devices/simulated-faults.ts';
import { numberedSectors, numbersOf, SnapshotRig } from '../../testing/snapshot-rig.ts';
import {
  count,
  MERGE_TABLE as MERGE,
  ORIGINAL,
  VOLUME_SECTORS as SIZE,
  SNAPSHOT_TABLE as SNAPSHOT,
  Volumes,
} from '../../testing/snapshot-volumes.ts';
import { submitBio } from '../../testing/submit.ts';

describe('handover', () => {
  test('a table that replaces another goes on with its exceptions, under load', async () => {
    const volumes = await new Volumes().create();
    const { rig } = volumes;
    const writes = count(0, 30).map((index) => volumes.write('disk', index * 16, index, 1));
    writes.push(volumes.write('before', 8, 1, 8), volumes.write('before', 25, 50, 2));
    await rig.load('before', SNAPSHOT);
    await volumes.suspend('before');
    await volumes.resume('before');
    expect(new Set(await rig.run(Promise.all(writes)))).toEqual(new Set([0]));
    const changed = [...ORIGINAL];
    changed.splice(8, 8, ...count(1, 8));
    changed.splice(25, 2, 50, 51);
    expect(await volumes.numbers('before')).toEqual(changed);
    await rig.run(volumes.write('disk', 0, 9000, 100));
    expect(await volumes.numbers('before')).toEqual(changed);
  });

  test('to another device, from one that is suspended and then gone', async () => {
    const volumes = await new Volumes().create();
    const { rig } = volumes;
    await rig.run(volumes.write('disk', 0, 1, 20));
    await rig.load('heir', SNAPSHOT);
    const heir = volumes.device('heir');
    await expect(rig.run(heir.resume())).rejects.toThrow(/handover until source is suspended/);
    await volumes.suspend('before');
    await expect(rig.run(volumes.device('before').resume())).rejects.toThrow(
      /Unable to resume snapshot source until handover completes/,
    );
    await rig.run(rig.mapper.remove(volumes.device('before')));
    await rig.run(volumes.write('disk', 100, 1, 20));
    await rig.load('heir', SNAPSHOT).catch(() => undefined);
    await volumes.resume('heir');
    expect(await volumes.numbers('heir')).toEqual(ORIGINAL);
  });

  test('one at a time', async () => {
    const volumes = await new Volumes().create();
    await volumes.rig.load('heir', SNAPSHOT);
    await expect(volumes.rig.load('other', SNAPSHOT)).rejects.toThrow(/cow pairing/);
    await volumes.rig.run(volumes.device('heir').clear());
    await volumes.rig.load('other', SNAPSHOT);
  });

  test('the COW device may grow meanwhile', async () => {
    const volumes = await new Volumes().create();
    const { rig } = volumes;
    await rig.run(volumes.write('disk', 0, 1, 8));
    await rig.load('cow', '0 2048 linear C 0');
    await rig.load('before', SNAPSHOT);
    await volumes.suspend('disk', 'before', 'real', 'cow');
    await volumes.resume('real', 'cow', 'before', 'disk');
    expect(rig.status('before')).toBe('24/2048 16');
  });

  test('a snapshot goes as lvremove lets it go, with copies under way', async () => {
    const volumes = await new Volumes().create();
    const { rig } = volumes;
    const writes = count(0, 20).map((index) => volumes.write('disk', index * 24, index, 3));
    await rig.load('before', '0 1024 linear C 0');
    await volumes.suspend('disk', 'before', 'real', 'cow');
    await volumes.resume('cow', 'real', 'before', 'disk');
    expect(new Set(await rig.run(Promise.all(writes)))).toEqual(new Set([0]));
    const copies = rig.disk('C').counts.write;
    expect(await rig.run(volumes.write('disk', 480, 1, 8))).toBe(0);
    expect(rig.disk('C').counts.write).toBe(copies);
  });
});

describe('merge', () => {
  test('shows the snapshot at once and ends with it on the origin', async () => {
    const volumes = await new Volumes().create();
    const { rig } = volumes;
    await rig.run(volumes.write('disk', 16, 1, 100));
    await rig.run(volumes.write('before', 200, 5000, 100));
    const wanted = await volumes.numbers('before');
    await volumes.merge();
    expect(await volumes.numbers('disk')).toEqual(wanted);
    await volumes.merged();
    expect(rig.status('disk')).toBe('16/1024 16');
    expect(numbersOf(rig.disk('O').peek(0, SIZE))).toEqual(wanted);
    await rig.load('disk', `0 ${SIZE} linear O 0`);
    await volumes.suspend('disk');
    await volumes.resume('disk');
    expect(await volumes.numbers('disk')).toEqual(wanted);
  });

  test('takes writes all the while, and another snapshot sees none of it', async () => {
    const volumes = await new Volumes().create();
    const { rig } = volumes;
    await rig.run(volumes.write('disk', 0, 1, 300));
    await rig.start('other', `0 ${SIZE} snapshot mapper/real D P 16`);
    const [wanted, others] = [await volumes.numbers('before'), await volumes.numbers('other')];
    await volumes.merge();
    for (let round = 0; round < 40; round += 1) {
      const sector = (round * 37) % (SIZE - 20);
      wanted.splice(sector, 7, ...count(7000 + round * 10, 7));
      expect(await rig.run(volumes.write('disk', sector, 7000 + round * 10, 7))).toBe(0);
      expect(await volumes.numbers('disk')).toEqual(wanted);
    }
    await volumes.merged();
    expect(numbersOf(rig.disk('O').peek(0, SIZE))).toEqual(wanted);
    expect(await volumes.numbers('other')).toEqual(others);
  });

  test('waits for the one snapshot that needs a copy, while another has all', async () => {
    const volumes = await new Volumes().create();
    const { rig } = volumes;
    await rig.start('full', `0 ${SIZE} snapshot mapper/real D P 16`);
    await rig.run(volumes.write('full', 0, 1, SIZE));
    await rig.start('empty', `0 ${SIZE} snapshot mapper/real E P 4`);
    await rig.run(volumes.write('before', 0, 5000, 40));
    await volumes.merge();
    await volumes.merged();
    expect(await volumes.numbers('empty')).toEqual(ORIGINAL);
    expect(await volumes.numbers('full')).toEqual(count(1, SIZE));
  });

  test('waits for writes to what it is about to merge', async () => {
    const volumes = await new Volumes().create();
    const { rig } = volumes;
    await rig.run(volumes.write('before', 0, 5000, 40));
    for (let chunk = 62; chunk > 20; chunk -= 2) {
      await rig.run(volumes.write('before', chunk * 8, 6000 + chunk * 8, 8));
    }
    const wanted = await volumes.numbers('before');
    await volumes.merge();
    const stall = { effect: { kind: 'stall' }, op: Op.write, startSectors: 16, lengthSectors: 40 };
    const free = rig.disk('C').addFault(stall as Fault);
    const written = volumes.write('disk', 3, 1, 2);
    await rig.clock.advance(2000);
    expect(rig.status('disk')).toBe('56/1024 16');
    free();
    rig.disk('C').unstall();
    expect(await rig.run(written)).toBe(0);
    await volumes.merged();
    wanted.splice(3, 2, 1, 2);
    expect(await volumes.numbers('disk')).toEqual(wanted);
  });

  test('rests while the device is suspended and goes on afterwards', async () => {
    const volumes = await new Volumes().create();
    const { rig } = volumes;
    for (let chunk = 0; chunk < 60; chunk += 2)
      await rig.run(volumes.write('before', chunk * 8, chunk, 8));
    await volumes.merge();
    await rig.clock.advance(30);
    await volumes.suspend('disk');
    const status = rig.status('disk');
    expect(status).not.toBe('16/1024 16');
    await rig.clock.advance(1000);
    expect(rig.status('disk')).toBe(status);
    await volumes.resume('disk');
    await volumes.merged();
  });

  test.each([
    ['a read of the COW device', 'C', Op.read],
    ['a write to the origin', 'O', Op.write],
    ['the flush of the origin', 'O', Op.flush],
  ] as const)('fails with %s, and what is not merged is shown as it was', async (_, disk, op) => {
    const volumes = await new Volumes().create();
    const { rig } = volumes;
    await rig.run(volumes.write('before', 100, 5000, 100));
    const wanted = await volumes.numbers('before');
    const repair = rig.disk(disk).addFault({ effect: { kind: 'error', errno: Errno.EIO }, op });
    await volumes.merge();
    await rig.clock.advance(1000);
    repair();
    expect(rig.status('disk')).toBe('Merge failed');
    expect(await volumes.numbers('disk')).toEqual(wanted);
    expect(await rig.run(volumes.write('disk', 104, 1, 1))).toBe(0);
    wanted[104] = 1;
    expect(await volumes.numbers('disk')).toEqual(wanted);
  });

  test('without a live snapshot reads the COW device itself', async () => {
    const volumes = await new Volumes().create();
    const { rig } = volumes;
    await rig.run(volumes.write('before', 100, 5000, 100));
    const wanted = await volumes.numbers('before');
    await rig.run(rig.mapper.remove(volumes.device('before')));
    await rig.start('disk', MERGE);
    await volumes.merged();
    expect(await volumes.numbers('disk')).toEqual(wanted);
  });

  test('refuses a store that cannot', async () => {
    const volumes = await new Volumes().create();
    const line = `0 ${SIZE} snapshot-merge mapper/real D N 8`;
    await expect(volumes.rig.load('disk', line)).rejects.toThrow(
      /Snapshot exception store does not support snapshot-merge/,
    );
  });
});

test('the last chunk may be shorter than the others', async () => {
  const rig = new SnapshotRig({ sizes: { O: 500, C: 1024 } });
  rig.fill('O', 1000);
  const before = await rig.start('before', '0 500 snapshot O C P 64');
  for (const sectorCount of [10, 52]) {
    const sector = 500 - sectorCount;
    const data = numberedSectors(sectorCount * 100, sectorCount);
    expect(await rig.run(submitBio(before, { op: Op.write, sector, sectorCount, data }))).toBe(0);
  }
  await rig.run(rig.mapper.remove(before));
  await rig.start('disk', '0 500 snapshot-merge O C P 64');
  await rig.clock.advance(1000);
  expect(rig.status('disk')).toBe('128/1024 128');
  const wanted = [...count(1000, 448), ...count(5200, 52)];
  expect(numbersOf(rig.disk('O').peek(0, 500))).toEqual(wanted);
});
