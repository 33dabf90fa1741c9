import { expect, test } from 'vitest';
import type { ControlSession } from '../control/ioctl/types.ts';
import { World } from '../testing/world.ts';
import type { Daemon } from './daemon.ts';
import { answerDaemonRequest } from './methods.ts';
import { readAheadMethod } from './read-ahead-method.ts';

async function ask(world: World, params: object) {
  const request = JSON.stringify({ method: 'read-ahead', params });
  const reply = await answerDaemonRequest({ 'read-ahead': readAheadMethod }, Buffer.from(request), {
    daemon: { mapper: { engine: world.mapper } } as unknown as Daemon,
    session: {} as ControlSession,
    signal: new AbortController().signal,
  });
  return reply.errno === 0 ? Buffer.from(reply.buffer).toString() : reply.reason;
}

test('sets whole pages, or raises to a minimum', async () => {
  const world = new World();
  await world.start('a', '0 8 zero');
  expect(await ask(world, { minor: 0, sectors: 1030 })).toBe('{"sectors":1024}');
  expect(await ask(world, { minor: 0, sectors: 8, minimum: true })).toBe('{"sectors":1024}');
  expect(await ask(world, { minor: 0, sectors: 2048, minimum: true })).toBe('{"sectors":2048}');
  expect(await ask(world, { minor: 0, sectors: 0 })).toBe('{"sectors":0}');
});

test.each([
  [{ minor: 7, sectors: 8 }, 'Cannot set read-ahead: there is no disk 252:7'],
  [{ minor: 0, sectors: 8 }, 'Cannot set read-ahead: there is no disk 252:0'],
  [{ minor: 0 }, 'Parameter "sectors": expected a whole number from 0 to 4294967296'],
  [{ minor: 0, sectors: -8 }, 'got -8'],
  [{ minor: 0, sectors: 1e300 }, 'got 1e+300'],
  [{ minor: '0', sectors: 8 }, 'Parameter "minor": expected a whole number'],
])('refuses %j', async (params, reason) => {
  const world = new World();
  world.mapper.create({ name: 'without-table' });
  expect(await ask(world, params)).toContain(reason);
});
