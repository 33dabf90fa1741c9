import { expect, test } from 'vitest';
import { World } from '../testing/world.ts';
import { readAheadSectors } from './read-ahead.ts';

test('there is a disk, and read-ahead, from the first table on', async () => {
  const world = new World();
  const device = world.mapper.create({ name: 'a' });
  expect([device.hasDisk, readAheadSectors(device)]).toEqual([false, null]);
  await world.load(device, '0 8 zero');
  expect([device.hasDisk, readAheadSectors(device)]).toEqual([true, 256]);
  await device.clear();
  expect([device.hasDisk, readAheadSectors(device)]).toEqual([true, 256]);
});

test('what was asked for counts in pages, through suspend and resume, until the next table', async () => {
  const world = new World();
  const device = await world.start('a', '0 8 zero');
  world.mapper.setReadAhead(device, 1030);
  await device.suspend();
  await device.resume();
  expect(readAheadSectors(device)).toBe(1024);
  await world.load(device, '0 16 zero');
  await device.resume();
  expect(readAheadSectors(device)).toBe(256);
});

test('a new value is a change that listeners hear of', async () => {
  const world = new World();
  const device = await world.start('a', '0 8 zero');
  const heard: string[] = [];
  world.mapper.observe({ changed: ({ name }) => heard.push(name) });
  world.mapper.setReadAhead(device, 0);
  expect([heard, readAheadSectors(device)]).toEqual([['a'], 0]);
});
