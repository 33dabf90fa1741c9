import { expect, test } from 'vitest';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { submitBio } from '../testing/submit.ts';
import { World } from '../testing/world.ts';
import { Bio, Op } from './bio.ts';
import { IoStatistics, STATISTICS_BYTES, sumStatistics } from './statistics.ts';

/** A device whose disk takes 10 ms for everything, and one on top of it. */
async function start() {
  const clock = new SimulatedClock();
  const world = new World({ clock, disks: { A: { sizeSectors: 64 } } });
  world.disks.get('A').answer = (finish) => {
    clock.after(10, finish);
  };
  const lower = await world.start('lower', '0 64 linear A 0');
  const upper = await world.start('upper', '0 60 linear mapper/lower 2');
  return { clock, lower, upper };
}

test('each layer counts every kind of request with its sectors and time', async () => {
  const { clock, lower, upper } = await start();
  const data = new Uint8Array(8 * 512);
  const requests = [
    { op: Op.read, sectorCount: 8, data },
    { op: Op.write, sector: 8, sectorCount: 4, data },
    { op: Op.writeZeroes, sectorCount: 2 },
    { op: Op.discard, sectorCount: 3 },
    { op: Op.flush },
    { op: Op.blockStatus, sectorCount: 1 },
  ];
  const ended = Promise.all(requests.map((request) => submitBio(upper, request)));
  expect(upper.statistics()).toMatchObject({ inFlight: 6, reads: 0 });
  expect(upper.inFlightCount).toBe(6);
  await clock.advance(20);
  await ended;
  const counts = {
    reads: 1,
    readSectors: 8,
    readMs: 10,
    writes: 2,
    writeSectors: 6,
    writeMs: 20,
    discards: 1,
    discardSectors: 3,
    discardMs: 10,
    flushes: 1,
    flushMs: 10,
    inFlight: 0,
  };
  expect(upper.statistics()).toEqual(counts);
  expect(lower.statistics()).toEqual(counts);
});

test('time in a queue counts, and a request is counted once however often it is begun', async () => {
  const { clock, upper } = await start();
  await clock.advance(1);
  await upper.suspend();
  const ended = submitBio(upper, { op: Op.discard, sectorCount: 1 });
  await clock.advance(100);
  expect(upper.statistics().inFlight).toBe(0);
  await upper.resume();
  await clock.advance(10);
  expect(await ended).toBe(0);
  expect(upper.statistics()).toMatchObject({ discards: 1, discardMs: 110, inFlight: 0 });
});

test('counters over shared memory add up with others', () => {
  const memory = new SharedArrayBuffer(2 * STATISTICS_BYTES);
  const first = new IoStatistics(memory);
  const second = new IoStatistics(memory, STATISTICS_BYTES);
  first.begin();
  first.begin();
  first.withdraw();
  second.begin();
  expect(sumStatistics([first, second])).toMatchObject({ inFlight: 2, reads: 0 });
  expect(new IoStatistics(memory).counters).toEqual(first.counters);
});

test('what is done again elsewhere is taken back', () => {
  const statistics = new IoStatistics();
  for (const [op, sectorCount] of [
    [Op.read, 8],
    [Op.write, 4],
    [Op.discard, 2],
    [Op.flush, 0],
    [Op.blockStatus, 1],
  ] as const) {
    const bio = new Bio();
    Object.assign(bio, { op, sectorCount, startMs: 5, endMs: 8 });
    statistics.begin();
    statistics.finish(bio);
    statistics.revoke(op, sectorCount, 3);
    expect([...statistics.counters], String(op)).toEqual(Array.from(statistics.counters, () => 0));
  }
});
