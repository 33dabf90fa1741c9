import { expect, test } from 'vitest';
import { Probe } from '../testing/probe-target.ts';
import { submitBio } from '../testing/submit.ts';
import { World } from '../testing/world.ts';
import { type Bio, Op } from './bio.ts';
import type { Bypass } from './bypasses.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('stops before a suspend resolves and goes on at resume', async () => {
  const world = new World();
  const device = await world.start('t', '0 8 zero');
  const calls: string[] = [];
  let stopped: () => void = () => undefined;
  const bypass: Bypass = {
    quiesce() {
      calls.push('quiesce');
      return new Promise((resolve) => {
        stopped = resolve;
      });
    },
    release: () => calls.push('release'),
    statistics: () => undefined,
  };
  device.attachBypass(bypass);
  let isSuspended = false;
  const suspended = device.suspend().then(() => {
    isSuspended = true;
  });
  await settle();
  expect([isSuspended, calls]).toEqual([false, ['quiesce']]);
  stopped();
  await suspended;
  await device.resume();
  expect(calls).toEqual(['quiesce', 'release']);
  device.detachBypass(bypass);
  await device.suspend();
  device.attachBypass(bypass);
  expect(calls).toEqual(['quiesce', 'release', 'quiesce']);
});

test('a bio that waits for their renewal holds up no suspend', async () => {
  const probe = new Probe();
  const world = new World({ types: [probe.type] });
  const device = await world.start('t', '0 8 probe A 0');
  const held: Bio[] = [];
  probe.answer = (bio) => {
    held.push(bio);
    return 'submitted';
  };
  const written = submitBio(device, { op: Op.write, sectorCount: 1, data: new Uint8Array(512) });
  const suspended = device.suspend();
  await settle();
  await probe.contexts[0]!.renewCopies();
  held[0]!.end(0);
  await suspended;
  expect(await written).toBe(0);
});
