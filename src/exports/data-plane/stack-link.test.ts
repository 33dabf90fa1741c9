import { expect, test } from 'vitest';
import { World } from '../../testing/world.ts';
import type { Plan } from './plan.ts';
import { StackLink } from './stack-link.ts';

async function createRig() {
  const world = new World({ disks: { A: { sizeSectors: 64 } } });
  const device = await world.start('disk', '0 64 linear A 0');
  const plans: Plan[] = [];
  const link = new StackLink({
    device,
    post: (plan) => plans.push(plan),
    postForget: () => undefined,
    ring: () => undefined,
  });
  link.planned();
  link.open();
  /** Whether the worker gets in; it has read what it was sent. */
  const isOpen = () => {
    link.gate.clearSignal();
    const isInside = link.gate.enter();
    if (isInside) link.gate.leave();
    return isInside;
  };
  return { world, device, link, plans, isOpen };
}

test('the gate stays shut until the last pause is over', async () => {
  const { link, isOpen } = await createRig();
  expect(isOpen()).toBe(true);
  const [first, second] = [await link.pause(), await link.pause()];
  first();
  expect(isOpen()).toBe(false);
  second();
  expect(isOpen()).toBe(true);
});

test('a pause waits for a worker that is inside', async () => {
  const { link } = await createRig();
  expect(link.gate.enter()).toBe(true);
  let isPaused = false;
  const pausing = link.pause().then(() => {
    isPaused = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isPaused).toBe(false);
  link.gate.leave();
  await pausing;
});

test('the end of a pause opens no gate of a device that is suspended, and a resume none that is paused', async () => {
  const { device, link, plans, isOpen } = await createRig();
  const before = await link.pause();
  await device.suspend();
  before();
  expect(isOpen()).toBe(false);
  const within = await link.pause();
  await device.resume();
  expect(plans.length).toBe(1);
  expect(isOpen()).toBe(false);
  within();
  expect(isOpen()).toBe(true);
});

test('the end of a pause opens no gate while the worker has an old plan', async () => {
  const { device, link, plans, isOpen } = await createRig();
  await device.suspend();
  await device.resume();
  // The first plan was not read yet, so the second waits.
  await device.suspend();
  await device.resume();
  expect(plans.length).toBe(1);
  (await link.pause())();
  expect(isOpen()).toBe(false);
  link.planned();
  expect(plans.length).toBe(2);
  expect(isOpen()).toBe(true);
});

test('the end of a pause opens no gate of a link that is over', async () => {
  const { link, isOpen } = await createRig();
  const goOn = await link.pause();
  await link.end();
  goOn();
  expect(isOpen()).toBe(false);
});
