/** What becomes of a snapshot's exceptions when tables change in other orders than lvm's, and when devices below change. */

import { expect, test } from 'vitest';
import { Op } from '../../core/bio.ts';
import type { Fault } from '../../devices/simulated-faults.ts';
import { numberedSectors, numbersOf } from '../../testing/snapshot-rig.ts';
import {
  count,
  MERGE_TABLE,
  ORIGIN_TABLE,
  ORIGINAL,
  SNAPSHOT_TABLE,
  VOLUME_SECTORS,
  Volumes,
} from '../../testing/snapshot-volumes.ts';

test('a snapshot in place of a merge gets its copies from then on', async () => {
  const volumes = await new Volumes().create();
  const { rig } = volumes;
  await rig.run(volumes.write('before', 64, 5000, 64));
  await volumes.merge();
  await volumes.suspend('disk');
  await rig.load('disk', SNAPSHOT_TABLE);
  await volumes.resume('disk');
  await rig.start('origin', ORIGIN_TABLE);
  const wanted = await volumes.numbers('disk');
  await rig.run(volumes.write('origin', 0, 1, VOLUME_SECTORS));
  expect(await volumes.numbers('disk')).toEqual(wanted);
});

test('who loads a table while the one before is being closed sees all it had', async () => {
  const volumes = await new Volumes().create();
  const { rig } = volumes;
  await rig.load('disk', ORIGIN_TABLE);
  const stall: Fault = {
    effect: { kind: 'stall' },
    op: Op.write,
    startSectors: 0,
    lengthSectors: 4096,
  };
  const free = rig.disk('C').addFault(stall);
  const written = volumes.write('disk', 0, 1, 8);
  await rig.clock.advance(50);
  const removed = rig.mapper.remove(volumes.device('before'));
  await rig.clock.advance(50);
  const loaded = rig.load('next', SNAPSHOT_TABLE);
  await rig.clock.advance(50);
  free();
  rig.disk('C').unstall();
  await rig.run(Promise.all([removed, loaded, written]));
  await volumes.resume('next');
  expect(await volumes.numbers('next')).toEqual(ORIGINAL);
});

test('whether it survives an overflow is said by the table that is live', async () => {
  const volumes = await new Volumes().create();
  const { rig } = volumes;
  await rig.load('before', SNAPSHOT_TABLE.replace(' P ', ' PO '));
  await rig.load('cow', '0 32 linear C 0');
  await volumes.suspend('before', 'cow');
  await volumes.resume('cow', 'before');
  await rig.run(volumes.write('before', 0, 1, 24));
  expect(rig.status('before')).toBe('Overflow');
  expect(rig.reports).toEqual([
    'before: snapshot: Snapshot overflowed: Unable to allocate exception: 252:2 is full',
  ]);
});

test('an origin that shrank has nothing to be copied behind its end', async () => {
  const volumes = await new Volumes().create();
  const { rig } = volumes;
  await rig.load('real', '0 256 linear O 0');
  await volumes.suspend('disk', 'before', 'real');
  await volumes.resume('real', 'before', 'disk');
  expect(await rig.run(volumes.write('before', 260, 1, 1))).not.toBe(0);
  expect(rig.status('before')).toBe('Invalid');
  expect(rig.reports).toEqual([
    'before: snapshot: Invalidating snapshot: Error reading/writing: a chunk could not be copied or kept',
  ]);
});

test('a suspend does not wait for the rest of a merge', async () => {
  const volumes = await new Volumes().create();
  const { rig } = volumes;
  for (let chunk = 0; chunk < 60; chunk += 2) {
    await rig.run(volumes.write('before', chunk * 8, chunk, 8));
  }
  await volumes.merge();
  let longestMs = 0;
  for (let round = 0; round < 20; round += 1) {
    await volumes.numbers('disk');
    const startMs = rig.clock.nowMs();
    await volumes.suspend('disk');
    longestMs = Math.max(longestMs, rig.clock.nowMs() - startMs);
    await volumes.resume('disk');
  }
  expect(longestMs).toBeLessThan(20);
});

test('a table prints the store that it took over, not the one it asked for', async () => {
  const volumes = await new Volumes().create();
  const { rig } = volumes;
  const [transient, asked] = [' N 16', ' P 8'].map((words) =>
    SNAPSHOT_TABLE.replace(' P 8', words),
  );
  await rig.run(rig.mapper.remove(volumes.device('before')));
  await rig.start('before', transient!);
  await rig.load('before', asked!);
  const { target } = volumes.device('before').inactive!.rows[0]!;
  expect([target.table(), target.status!()]).toEqual(['252:1 252:2 P 0', '0/1024 0']);
  await volumes.suspend('before');
  await volumes.resume('before');
  expect([target.table(), target.status!()]).toEqual(['252:1 252:2 N 16', '0/1024 0']);
});

test('a merge that failed is tried again when it resumes, though the status stays', async () => {
  const volumes = await new Volumes().create();
  const { rig } = volumes;
  await rig.run(volumes.write('before', 64, 5000, 64));
  const wanted = await volumes.numbers('before');
  const repair = rig.disk('O').addFault({ effect: { kind: 'error', errno: 5 }, op: Op.write });
  await volumes.merge();
  await rig.clock.advance(1000);
  expect(rig.status('disk')).toBe('Merge failed');
  expect(rig.reports).toEqual(['disk: snapshot-merge: Write error: shutting down merge']);
  repair();
  await volumes.suspend('disk');
  await volumes.resume('disk');
  await rig.clock.advance(1000);
  // As in a kernel: until another table takes its place.
  expect(rig.status('disk')).toBe('Merge failed');
  expect(numbersOf(rig.disk('O').peek(0, VOLUME_SECTORS))).toEqual(wanted);
  await rig.load('disk', SNAPSHOT_TABLE);
  await volumes.resume('disk');
  expect(rig.status('disk')).toBe('16/1024 16');
});

test('a suspend that is given up lets a merge go on', async () => {
  const volumes = await new Volumes().create();
  const { rig } = volumes;
  for (let chunk = 0; chunk < 60; chunk += 2) {
    await rig.run(volumes.write('before', chunk * 8, chunk, 8));
  }
  await volumes.merge();
  rig.disk('C').addFault({ effect: { kind: 'stall' }, op: Op.read, nth: 1 });
  const read = volumes.numbers('disk');
  const abort = new AbortController();
  const suspended = volumes.device('disk').suspend({ signal: abort.signal });
  await rig.clock.advance(1000);
  abort.abort();
  await expect(suspended).rejects.toThrow(/Interrupted/);
  rig.disk('C').unstall();
  await read;
  await volumes.merged();
});

test('a chunk that a damaged store names twice is merged as it was shown', async () => {
  const volumes = await new Volumes().create();
  const { rig } = volumes;
  await rig.run(rig.mapper.remove(volumes.device('before')));
  const cow = rig.disk('C');
  const exceptions = [
    [5, 2],
    [9, 3],
    [5, 4],
    [6, 5],
  ];
  cow.poke(8, new Uint8Array(BigUint64Array.from(exceptions.flat().map(BigInt)).buffer));
  for (const chunk of [2, 3, 4, 5]) cow.poke(chunk * 8, numberedSectors(chunk * 100, 8));
  const wanted = [...ORIGINAL];
  wanted.splice(40, 16, ...count(200, 8), ...count(500, 8));
  wanted.splice(72, 8, ...count(300, 8));
  cow.addFault({ effect: { kind: 'stall' }, op: Op.read, startSectors: 16, lengthSectors: 8 });
  await rig.start('disk', MERGE_TABLE);
  await rig.clock.advance(1000);
  expect(rig.status('disk')).toBe('24/1024 16');
  expect(numbersOf(rig.disk('O').peek(0, 48))).toEqual(ORIGINAL.slice(0, 48));
  cow.unstall();
  await volumes.merged();
  expect(await volumes.numbers('disk')).toEqual(wanted);
});

test('a COW device that cannot be told that it is invalid is reported', async () => {
  const volumes = await new Volumes().create();
  const { rig } = volumes;
  rig.disk('C').addFault({ effect: { kind: 'error', errno: 5 }, op: Op.write });
  expect(await rig.run(volumes.write('disk', 0, 1, 8))).toBe(0);
  expect([rig.status('before'), rig.reports.length]).toEqual(['Invalid', 2]);
  expect(rig.reports[1]).toBe('before: snapshot: write header failed: 252:2 says it is valid');
});

test('a snapshot that waits for a write to the origin keeps a merge from going on', async () => {
  const volumes = await new Volumes().create();
  const { rig } = volumes;
  for (let chunk = 0; chunk < 60; chunk += 2) {
    await rig.run(volumes.write('before', chunk * 8, chunk * 8, 8));
  }
  await rig.load('late', `0 ${VOLUME_SECTORS} snapshot mapper/real D P 8`);
  await volumes.merge();
  const slow = { startSectors: 496, lengthSectors: 8 };
  rig.disk('O').addFault({ effect: { kind: 'stall' }, op: Op.write, ...slow });
  const written = volumes.write('disk', 496, 1, 8);
  await rig.clock.advance(2);
  const late = volumes.device('late');
  const resumed = late.resume();
  await rig.clock.advance(1000);
  const status = rig.status('disk');
  await rig.clock.advance(1000);
  expect([late.suspended, rig.status('disk')]).toEqual([true, status]);
  expect(status).not.toBe('16/1024 16');
  rig.disk('O').unstall();
  await rig.run(Promise.all([written, resumed]));
  const shown = await volumes.numbers('late');
  await volumes.merged();
  expect(await volumes.numbers('late')).toEqual(shown);
});
