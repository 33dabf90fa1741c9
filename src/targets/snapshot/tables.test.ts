/** What becomes of a snapshot's exceptions when tables change in other orders than lvm's, and when devices below change. */

import { expect, test } from 'vitest';
import { Op } from '../../core/bio.ts';
import type { Fault } from '../../devices/simulated-faults.ts';
import {
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
});

test('an origin that shrank has nothing to be copied behind its end', async () => {
  const volumes = await new Volumes().create();
  const { rig } = volumes;
  await rig.load('real', '0 256 linear O 0');
  await volumes.suspend('disk', 'before', 'real');
  await volumes.resume('real', 'before', 'disk');
  expect(await rig.run(volumes.write('before', 260, 1, 1))).not.toBe(0);
  expect(rig.status('before')).toBe('Invalid');
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
