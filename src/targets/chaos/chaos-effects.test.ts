/** What each effect does to data, seen from above and on the disk below. */

import { describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { BioFlag, Op } from '../../core/bio.ts';
import { ChaosRig, isOpen } from '../../testing/chaos-rig.ts';
import { readExtents, readSectors, submitBio } from '../../testing/submit.ts';

test('errors change nothing below', async () => {
  const rig = await ChaosRig.start(
    'eio:op=write,nth=2 enospc:nth=3 eio:op=flush eio:op=read,from=8',
  );
  expect([await rig.write(0, 1), await rig.write(1, 2), await rig.write(2, 3)]).toEqual([
    0,
    Errno.EIO,
    Errno.ENOSPC,
  ]);
  expect(rig.below(0, 3)).toEqual([1, 0, 0]);
  expect(await rig.flush()).toBe(Errno.EIO);
  expect(await rig.tryRead(7)).toBe(0);
  expect(await rig.tryRead(7, 2)).toBe(Errno.EIO);
  expect(rig.disk.recorded.map(({ op }) => op)).toEqual(['write', 'read']);
});

test('a timeout answers after its time and does nothing', async () => {
  const rig = await ChaosRig.start('timeout:ms=2s,op=write');
  const written = rig.write(0, 1);
  await rig.clock.advance(1999);
  expect(await isOpen(written)).toBe(true);
  await rig.clock.advance(1);
  expect(await written).toBe(Errno.ETIMEDOUT);
  expect(rig.below(0, 1)).toEqual([0]);
});

test.each([
  ['torn:sectors=2', 0, [1, 2, 0, 0]],
  ['torn:sectors=0', 0, [0, 0, 0, 0]],
  ['torn:sectors=3,answer=eio', Errno.EIO, [1, 2, 3, 0]],
  ['torn:sectors=9,answer=enospc', Errno.ENOSPC, [1, 2, 3, 4]],
])('%s', async (rule, answer, landed) => {
  const rig = await ChaosRig.start(rule);
  expect(await rig.write(8, 1, 4, { step: 1 })).toBe(answer);
  expect(rig.below(8, 4)).toEqual(landed);
});

test('torn zeroes are written in part', async () => {
  const rig = await ChaosRig.start('torn:op=zeroes,sectors=1');
  await rig.write(0, 7, 2);
  expect(await submitBio(rig.device, { op: Op.writeZeroes, sectorCount: 2 })).toBe(0);
  expect(rig.below(0, 2)).toEqual([0, 7]);
});

test('a lost write is acknowledged and not there; a lost flush too', async () => {
  const rig = await ChaosRig.start('lost:nth=1 lost:op=flush');
  expect([await rig.write(0, 1), await rig.write(1, 2), await rig.flush()]).toEqual([0, 0, 0]);
  expect(await rig.read(0, 2)).toEqual([0, 2]);
  expect(rig.disk.recorded.map(({ op }) => op)).toEqual(['write', 'read']);
});

test('what is misdirected lands, or comes, from elsewhere', async () => {
  const rig = await ChaosRig.start('misdirected:shift=4,op=write+read');
  await rig.write(0, 5, 2);
  expect(rig.below(0, 6)).toEqual([0, 0, 0, 0, 5, 5]);
  expect(await rig.read(0, 2)).toEqual([5, 5]);
  await rig.write(63, 6);
  expect(rig.below(59, 5)).toEqual([6, 0, 0, 0, 0]);
});

describe('bit rot', () => {
  const countBits = (bytes: Uint8Array) =>
    bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);

  test('of reads leaves the disk as it is', async () => {
    const rig = await ChaosRig.start('bitrot:bits=3');
    expect(countBits(await readSectors(rig.device, 4, 4))).toBe(3);
    expect(countBits(rig.disk.bytes)).toBe(0);
  });

  test('of writes is on the disk, and the data of the caller are as they were', async () => {
    const rig = await ChaosRig.start('bitrot:bits=5,op=write');
    const data = new Uint8Array(1536);
    const request = { op: Op.write, sector: 4, sectorCount: 2, data, dataOffset: 512 };
    expect(await submitBio(rig.device, request)).toBe(0);
    expect(countBits(data)).toBe(0);
    expect(countBits(rig.disk.bytes.subarray(2048, 3072))).toBe(5);
  });
});

describe('stale reads', () => {
  test('see what was there before the last write', async () => {
    const rig = await ChaosRig.start('stale');
    await rig.write(0, 1, 4);
    await rig.write(1, 2, 2);
    expect(await rig.read(0, 4)).toEqual([0, 1, 1, 0]);
    expect(rig.below(0, 4)).toEqual([1, 2, 2, 1]);
    expect(await submitBio(rig.device, { op: Op.writeZeroes, sector: 2, sectorCount: 1 })).toBe(0);
    expect(await rig.read(2)).toEqual([2]);
  });

  test('remember the last writes up to a limit, and none that is longer', async () => {
    const rig = await ChaosRig.start('stale:remember=2');
    for (const sector of [0, 1, 2]) await rig.write(sector, 1);
    expect(await rig.read(0, 3)).toEqual([1, 0, 0]);
    await rig.write(2, 2, 3);
    expect(await rig.read(0, 3)).toEqual([1, 0, 2]);
  });
});

describe('reordered writes', () => {
  test('are acknowledged, seen by reads, and land later in another order', async () => {
    const rig = await ChaosRig.start('seed=3 reorder:depth=8,ms=50');
    for (let sector = 0; sector < 8; sector += 1)
      expect(await rig.write(sector, 1 + sector)).toBe(0);
    expect(rig.disk.recorded).toEqual([]);
    expect(await rig.read(0, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(rig.status).toBe('on 0 8 1 reorder:8/8');
    await rig.clock.advance(50);
    const order = rig.disk.recorded.slice(1).map(({ sector }) => sector);
    expect(order.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(order).not.toEqual(order.toSorted((a, b) => a - b));
    expect(rig.below(0, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(rig.status).toBe('on 0 0 1 reorder:8/8');
  });

  test('never are more than allowed', async () => {
    const rig = await ChaosRig.start('reorder:depth=3,cache=4,ms=1h');
    for (let index = 0; index < 10; index += 1) await rig.write(index * 2, 1);
    expect(rig.disk.recorded).toHaveLength(7);
    await rig.write(32, 1, 3);
    expect(await rig.message('stats')).toMatch(/"unflushedSectors":[1-4],/);
    await rig.write(40, 2, 5);
    expect(rig.below(40, 1)).toEqual([2]);
  });

  test('land before a flush is answered, the flush last', async () => {
    const rig = await ChaosRig.start('reorder:ms=1h');
    await rig.write(0, 1);
    await rig.write(9, 2);
    expect(await rig.flush()).toBe(0);
    expect(rig.disk.recorded.map(({ op }) => op)).toEqual(['write', 'write', 'flush']);
  });

  test('stay when they ignore flushes; FUA writes are among them only when they ignore that', async () => {
    const rig = await ChaosRig.start('reorder:ms=1h,flush=ignore');
    await rig.write(0, 1);
    await rig.write(1, 2, 1, { flags: BioFlag.fua });
    expect(await rig.flush()).toBe(0);
    expect(rig.below(0, 2)).toEqual([0, 2]);
    const other = await ChaosRig.start('reorder:ms=1h,fua=ignore');
    await other.write(1, 2, 1, { flags: BioFlag.fua });
    expect(other.disk.recorded).toEqual([]);
    await other.flush();
    expect(other.disk.recorded[0]).toMatchObject({ op: 'write', flags: 0 });
  });

  test('that overlap stay in order, with writes and discards that are not held too', async () => {
    const rig = await ChaosRig.start('reorder:ms=1h');
    await rig.write(0, 1, 4);
    await rig.write(2, 2, 4);
    await rig.write(4, 3, 4, { flags: BioFlag.fua });
    expect(rig.below(0, 8)).toEqual([1, 1, 2, 2, 3, 3, 3, 3]);
    await rig.write(8, 4, 2);
    expect(await submitBio(rig.device, { op: Op.discard, sector: 9, sectorCount: 1 })).toBe(0);
    expect(rig.below(8, 2)).toEqual([4, 0]);
  });

  test('that cannot land fail the next flush, once', async () => {
    const rig = await ChaosRig.start('reorder:ms=1h');
    rig.disk.failure = ({ op }) => (op === Op.write ? Errno.ENOSPC : 0);
    expect(await rig.write(0, 1)).toBe(0);
    expect([await rig.flush(), await rig.flush()]).toEqual([Errno.ENOSPC, 0]);
  });

  test('are landed by a suspend, and by the end of their rule', async () => {
    const rig = await ChaosRig.start('reorder:ms=1h');
    await rig.write(0, 1);
    await rig.device.suspend();
    expect(rig.below(0, 1)).toEqual([1]);
    await rig.device.resume();
    await rig.write(0, 2);
    await rig.message('remove 1');
    expect(rig.below(0, 1)).toEqual([2]);
  });
});

describe('a power cut', () => {
  test('loses what was not flushed, fails I/O for its time, and goes on', async () => {
    const rig = await ChaosRig.start('powercut:op=write,nth=3,ms=500');
    await rig.write(0, 1);
    await rig.flush();
    await rig.write(1, 2);
    expect(await rig.read(0, 2)).toEqual([1, 2]);
    expect(await rig.write(2, 3)).toBe(Errno.EIO);
    expect(rig.status).toBe('off 0 0 1 powercut:1/3');
    await rig.clock.advance(499);
    expect([await rig.tryRead(0), await rig.flush(), await rig.write(0, 9)]).toEqual([5, 5, 5]);
    await rig.clock.advance(1);
    expect(await rig.read(0, 3)).toEqual([1, 0, 0]);
    expect(await rig.write(2, 3)).toBe(0);
    expect(await rig.read(2)).toEqual([3]);
    expect(rig.device.eventNumber).toBe(1);
  });

  test('ends what waits and what is under way with EIO', async () => {
    const rig = await ChaosRig.start('latency:op=flush,ms=1s stall:op=discard powercut:p=0');
    let finishRead: () => void = () => undefined;
    rig.disk.answer = (finish) => {
      finishRead = finish;
    };
    const open = [
      rig.tryRead(0),
      rig.flush(),
      submitBio(rig.device, { op: Op.discard, sectorCount: 1 }),
    ];
    await rig.message('power off');
    finishRead();
    expect(await Promise.all(open)).toEqual([5, 5, 5]);
    expect(rig.clock.pendingCount).toBe(0);
  });

  test('keeps some of the writes if told, and those that are FUA', async () => {
    const rig = await ChaosRig.start('powercut:p=0,keep=0.5');
    for (let sector = 0; sector < 60; sector += 1) await rig.write(sector, 1);
    await rig.write(60, 1, 1, { flags: BioFlag.fua });
    await rig.message('power off');
    const kept = rig.below(0, 60).filter((byte) => byte === 1).length;
    expect(kept).toBeGreaterThan(15);
    expect(kept).toBeLessThan(45);
    expect(rig.below(60, 1)).toEqual([1]);
  });

  test('loses flushed writes of a disk that lies about flushes', async () => {
    for (const rules of ['powercut:p=0,flush=ignore', 'lost:op=flush powercut:p=0']) {
      const rig = await ChaosRig.start(rules);
      await rig.write(0, 1);
      expect(await rig.flush()).toBe(0);
      await rig.message('power off 10ms');
      await rig.clock.advance(10);
      expect(await rig.read(0)).toEqual([0]);
    }
  });
});

test('with rules everything counts as data, since what is below is not what is read', async () => {
  const rig = await ChaosRig.start();
  expect(await readExtents(rig.device, 0, 8)).toMatchObject([{ flags: 3 }]);
  await rig.message('add bitrot');
  expect(await readExtents(rig.device, 0, 8)).toMatchObject([{ flags: 0 }]);
});
