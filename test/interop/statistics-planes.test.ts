/** Regions of dm-statistics count all I/O of a device, although threads serve its connections past the main thread. */

import { expect, test, vi } from 'vitest';
import { loadSystem } from '../../src/system/index.ts';
import { describeUnless } from '../../src/testing/tools.ts';
import type { NbdClient } from './nbd-client.ts';
import { FOLDERS, PlaneFixture } from './plane-fixture.ts';

const MIB = 1024 * 1024;
const BLOCK = 4096;
const obstacle = loadSystem() === null ? 'needs the system calls of the data plane (koffi)' : null;

/** Two stacked devices on a file that is memory, and a client of the upper one that a thread serves. */
async function start() {
  const fixture = await PlaneFixture.start({ folder: FOLDERS.memory });
  const sectors = MIB / 512;
  const table = `0 ${sectors} linear ${fixture.image('image', MIB, 1)} 0`;
  await fixture.mapper.create({ name: 'lower', table });
  await fixture.mapper.create({ name: 'disk', table: `0 ${sectors} linear mapper/lower 0` });
  const client = await fixture.connect();
  return { fixture, client };
}

async function doIo(client: NbdClient, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const offset = (index % (MIB / BLOCK)) * BLOCK;
    await client.read(offset, BLOCK);
    await client.write(offset, new Uint8Array(BLOCK).fill(index));
  }
}

describeUnless(obstacle)('regions and threads', () => {
  test.each(['lower', 'disk'])('every request counts while %s has a region', async (name) => {
    const { fixture, client } = await start();
    await using _ = fixture;
    const { mapper } = fixture;
    const upper = mapper.engine.get('disk');
    await doIo(client, 20);
    const submit = vi.spyOn(upper, 'submit');
    await doIo(client, 20);
    expect(submit, 'a thread does it alone').not.toHaveBeenCalled();

    expect(await mapper.message(name, ['@stats_create', '-', '/1'])).toBe('0');
    await doIo(client, 20);
    expect(submit).toHaveBeenCalledTimes(40);
    const counted = await mapper.message(name, ['@stats_print', '0']);
    expect(counted).toMatch(/^0\+2048 20 0 160 \d+ 20 \d+ 160 \d+ 0 /);

    await mapper.message(name, ['@stats_delete', '0']);
    await doIo(client, 20);
    expect(submit, 'a thread does it alone again').toHaveBeenCalledTimes(40);
    expect(mapper.engine.get(name).statistics()).toMatchObject({ reads: 80, writes: 80 });
  });

  test('no request is lost or counted twice while regions come and go', async () => {
    const { fixture, client } = await start();
    await using _ = fixture;
    const { mapper } = fixture;
    const done = new AbortController();
    const changes = (async () => {
      for (let round = 0; !done.signal.aborted; round += 1) {
        const name = round % 2 === 0 ? 'lower' : 'disk';
        await mapper.message(name, ['@stats_create', '-', '/4']);
        await new Promise((resolve) => setTimeout(resolve, 3));
        await mapper.message(name, ['@stats_delete', '0']);
      }
    })();
    await doIo(client, 400);
    done.abort();
    await changes;
    for (const name of ['lower', 'disk']) {
      const counts = mapper.engine.get(name).statistics();
      expect(counts, name).toMatchObject({ reads: 400, writes: 400, inFlight: 0 });
    }
  });

  test('a device that is suspended meanwhile gets its region, and counts once it runs', async () => {
    const { fixture, client } = await start();
    await using _ = fixture;
    const { mapper } = fixture;
    await mapper.suspend('lower');
    await mapper.message('lower', ['@stats_create', '-', '/1']);
    const reading = doIo(client, 1);
    await mapper.resume('lower');
    await reading;
    expect(await mapper.message('lower', ['@stats_print', '0'])).toMatch(/^0\+2048 1 0 8 /);
  });
});
