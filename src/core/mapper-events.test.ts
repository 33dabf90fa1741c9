/** Who hears what of devices: listeners, and the global event number behind poll. */

import { describe, expect, test } from 'vitest';
import { World } from '../testing/world.ts';
import type { MappedDevice } from './mapped-device.ts';

function listen(world: World) {
  const heard: string[] = [];
  const note = (what: string) => (device: MappedDevice) => heard.push(`${what} ${device.name}`);
  const stop = world.mapper.observe({
    created: note('created'),
    removed: note('removed'),
    renamed: (device, oldName) => heard.push(`renamed ${oldName} ${device.name}`),
    changed: note('changed'),
  });
  const take = () => heard.splice(0);
  return { stop, take };
}

describe('listeners', () => {
  test('hear of each change, at once', async () => {
    const world = new World();
    const { mapper } = world;
    const { take, stop } = listen(world);
    const device = mapper.create({ name: 'a' });
    expect(take()).toEqual(['created a']);
    await world.load(device, '0 8 zero');
    expect(take()).toEqual(['changed a']);
    await device.resume();
    expect(new Set(take())).toEqual(new Set(['changed a']));
    await device.suspend();
    expect(take()).toEqual(['changed a']);
    await device.suspend();
    expect(take()).toEqual([]);
    await device.resume();
    expect(take()).toEqual(['changed a']);
    device.event();
    expect(take()).toEqual(['changed a']);
    mapper.setUuid(device, 'U');
    expect(take()[0]).toBe('changed a');
    mapper.rename(device, 'b');
    expect(take()[0]).toBe('renamed a b');
    await world.load(device, '0 8 zero');
    take();
    await device.clear();
    expect(take()).toEqual(['changed b']);
    await device.clear();
    expect(take()).toEqual([]);
    await mapper.remove(device);
    expect(take()[0]).toBe('removed b');
    stop();
    mapper.create({ name: 'c' });
    expect(take()).toEqual([]);
  });

  test('find what was removed gone already, and what was created there', async () => {
    const { mapper } = new World();
    const seen: boolean[] = [];
    mapper.observe({
      created: ({ name }) => seen.push(mapper.find(name) !== undefined),
      removed: ({ name }) => seen.push(mapper.find(name) !== undefined),
    });
    await mapper.remove(mapper.create({ name: 'a' }));
    expect(seen).toEqual([true, false]);
  });
});

describe('the global event number', () => {
  test('counts what poll reports', async () => {
    const world = new World();
    const { mapper } = world;
    let before = mapper.globalEventNumber;
    const rises = async (action: () => unknown) => {
      await action();
      const rose = mapper.globalEventNumber > before;
      before = mapper.globalEventNumber;
      return rose;
    };
    expect(await rises(() => mapper.create({ name: 'a' }))).toBe(true);
    const device = mapper.get('a');
    expect(await rises(() => world.load(device, '0 8 zero'))).toBe(false);
    expect(await rises(() => device.resume())).toBe(true);
    expect(await rises(() => device.suspend())).toBe(false);
    expect(await rises(() => device.resume())).toBe(false);
    expect(await rises(() => device.event())).toBe(true);
    expect(await rises(() => mapper.rename(device, 'b'))).toBe(true);
    expect(await rises(() => mapper.setUuid(device, 'U'))).toBe(true);
    expect(await rises(() => mapper.remove(device))).toBe(true);
  });

  test('is waited for', async () => {
    const { mapper } = new World();
    const reached = mapper.waitGlobalEvent(mapper.globalEventNumber);
    mapper.create({ name: 'a' });
    expect(await reached).toBe(1);
    const interrupt = new AbortController();
    const waiting = mapper.waitGlobalEvent(1, interrupt.signal);
    interrupt.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});

describe('tables of one device', () => {
  test('share what they have open in the same mode', async () => {
    const world = new World();
    const below = await world.start('below', '0 16 zero');
    const device = await world.start('a', '0 8 linear mapper/below 0');
    expect(below.openCount).toBe(1);
    await world.load(device, '0 8 linear mapper/below 8');
    expect(below.openCount).toBe(1);
    await world.load(device, '0 8 linear mapper/below 8', { readOnly: true });
    expect(below.openCount).toBe(2);
    await device.clear();
    expect(below.openCount).toBe(1);
    const other = await world.start('b', '0 8 linear mapper/below 0');
    expect(below.openCount).toBe(2);
    await world.mapper.remove(device);
    await world.mapper.remove(other);
    expect(below.openCount).toBe(0);
    await world.mapper.remove(below);
  });

  test('that do not fit any more when they would become live are dropped', async () => {
    const world = new World({ disks: { A: { sizeSectors: 64 } } });
    const device = await world.start('a', '0 8 linear A 0');
    await world.load(device, '0 64 linear A 0');
    world.disks.get('A').sizeSectors = 32;
    await expect(device.resume()).rejects.toThrow(/too small for target/);
    expect([device.suspended, device.inactive, device.sizeSectors]).toEqual([true, null, 8]);
    await device.resume();
    expect([device.suspended, device.sizeSectors]).toEqual([false, 8]);
  });
});

test('names are ordered as their bytes', () => {
  const { mapper } = new World();
  const names = ['b', 'a', 'B', 'ab', 'ä', '\u{ffff}', '\u{1f600}', '\u{e000}', '\u{10000}', '-'];
  for (const name of names) mapper.create({ name });
  const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(mapper.list().map(({ name }) => name)).toEqual(sorted);
});
