import { describe, expect, test } from 'vitest';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { submitBio } from '../../testing/submit.ts';
import { World } from '../../testing/world.ts';
import { Op } from '../bio.ts';
import type { Bypass } from '../bypasses.ts';
import type { RegionSpec } from './region.ts';
import { RegionStatistics } from './region-statistics.ts';
import { StatisticsMemory } from './statistics-memory.ts';

const everything = { firstArea: 0n, areaCount: 1n << 40n };

function spec(options: Partial<RegionSpec> = {}): RegionSpec {
  return {
    start: 0n,
    length: 64n,
    step: 64n,
    preciseTimestamps: false,
    bounds: [],
    programId: '-',
    auxiliaryData: '-',
    ...options,
  };
}

/** A device of 64 sectors whose disk takes 10 ms for everything. */
async function start(table = '0 64 linear A 0') {
  const clock = new SimulatedClock();
  const world = new World({ clock, disks: { A: { sizeSectors: 64 }, B: { sizeSectors: 64 } } });
  for (const name of ['A', 'B']) {
    world.disks.get(name).answer = (finish) => {
      clock.after(10, finish);
    };
  }
  const device = await world.start('d', table);
  const run = async (op: Op, sector: number, sectorCount: number) => {
    const data = new Uint8Array(sectorCount * 512);
    const ended = submitBio(device, { op, sector, sectorCount, data });
    await clock.advance(10);
    return await ended;
  };
  const create = (options: Partial<RegionSpec> = {}) =>
    device.changeRegions((regions) => regions.create(spec(options)));
  const print = (id = 0) => device.regions.print(id, everything);
  return { clock, world, device, run, create, print };
}

describe('what is counted', () => {
  test('reads and writes with their sectors and times, cut at the borders of areas', async () => {
    const { run, create, print } = await start();
    await create({ start: 8n, length: 40n, step: 16n });
    await run(Op.read, 0, 64);
    await run(Op.write, 20, 8);
    await run(Op.discard, 20, 4);
    await run(Op.writeZeroes, 47, 1);
    await run(Op.write, 48, 8);
    await run(Op.read, 0, 8);
    expect(print()).toBe(
      [
        '8+16 1 0 16 10 2 0 8 20 0 30 30 10 20',
        '24+16 1 0 16 10 1 0 4 10 0 20 20 10 10',
        '40+16 1 0 8 10 1 0 1 10 0 20 20 10 10',
        '',
      ].join('\n'),
    );
  });

  test('neither flushes nor questions', async () => {
    const { run, create, print } = await start();
    await create();
    await run(Op.flush, 0, 0);
    await run(Op.blockStatus, 0, 8);
    expect(print()).toBe('0+64 0 0 0 0 0 0 0 0 0 0 0 0 0\n');
  });

  test('a request that goes on where the one before ended as merged', async () => {
    const { run, create, print } = await start();
    await create();
    for (const sector of [0, 8, 16, 32]) await run(Op.read, sector, 8);
    await run(Op.write, 40, 8);
    await run(Op.write, 48, 8);
    expect(print()).toBe('0+64 4 2 32 40 2 1 16 20 0 60 60 40 20\n');
  });

  test('each chunk of a striped device as a request, but a discard as one', async () => {
    const { run, create, print } = await start('0 64 striped 2 8 A 0 B 0');
    await create();
    await run(Op.read, 4, 16);
    await run(Op.writeZeroes, 0, 16);
    await run(Op.discard, 0, 16);
    expect(print()).toBe('0+64 3 2 16 30 3 1 32 30 0 30 60 10 20\n');
  });

  test('failed requests too, but none that the table refuses', async () => {
    const { device, world, run, create, print } = await start();
    await create();
    world.disks.get('A').failure = () => 5;
    expect(await run(Op.read, 0, 8)).toBe(5);
    expect(await submitBio(device, { op: Op.read, sector: 60, sectorCount: 8 })).toBe(5);
    expect(print()).toBe('0+64 1 0 8 10 0 0 0 0 0 10 10 10 0\n');
  });

  test('what is in flight, and the time in the queue of each', async () => {
    const { clock, device, create, print } = await start();
    await create();
    const data = new Uint8Array(512);
    const first = submitBio(device, { op: Op.read, sectorCount: 1, data });
    await clock.advance(4);
    const second = submitBio(device, { op: Op.write, sector: 9, sectorCount: 1, data });
    await clock.advance(3);
    expect(print()).toBe('0+64 0 0 0 0 0 0 0 0 2 7 10 7 3\n');
    await clock.advance(10);
    await Promise.all([first, second]);
    expect(print()).toBe('0+64 1 0 1 10 1 0 1 10 0 14 20 10 10\n');
  });

  test('latencies in bins; a bound belongs to the bin above it', async () => {
    const { run, create, print } = await start();
    await create({ bounds: [9n, 10n, 11n] });
    await create({ bounds: [9_000_000n, 11_000_000n], preciseTimestamps: true });
    await run(Op.read, 0, 8);
    expect(print(0)).toBe('0+64 1 0 8 10 0 0 0 0 0 10 10 10 0 0:0:1:0\n');
    const ns = 10_000_000;
    expect(print(1)).toBe(`0+64 1 0 8 ${ns} 0 0 0 0 0 ${ns} ${ns} ${ns} 0 0:1:0\n`);
  });

  test('a bio that went back to the queue, once', async () => {
    const { clock, world, device, create, print } = await start();
    await create();
    const disk = world.disks.get('A');
    disk.answer = (finish) => {
      clock.after(10, finish);
    };
    disk.failure = () => -1;
    const ended = submitBio(device, { op: Op.write, sectorCount: 1, data: new Uint8Array(512) });
    const suspended = device.suspend({ noflush: true });
    await clock.advance(10);
    await suspended;
    expect(print()).toBe('0+64 0 0 0 0 0 0 0 0 0 10 10 0 10\n');
    disk.failure = () => 0;
    await device.resume();
    await clock.advance(10);
    expect(await ended).toBe(0);
    expect(print()).toBe('0+64 0 0 0 0 1 0 1 10 0 20 20 0 20\n');
  });
});

describe('regions', () => {
  test('get the lowest free id', async () => {
    const { device, create } = await start();
    expect([await create(), await create(), await create()]).toEqual([0, 1, 2]);
    await device.changeRegions((regions) => regions.delete(1));
    expect(await create({ programId: 'p' })).toBe(1);
    expect(await create()).toBe(3);
    expect(device.regions.list()).toBe(
      '0: 0+64 64 - -\n1: 0+64 64 p -\n2: 0+64 64 - -\n3: 0+64 64 - -\n',
    );
    expect(device.regions.list('p')).toBe('1: 0+64 64 p -\n');
  });

  test('print and clear a range of their areas', async () => {
    const { device, run, create } = await start();
    await create({ step: 16n, bounds: [5n] });
    await run(Op.read, 0, 64);
    const middle = { firstArea: 1n, areaCount: 2n };
    const line = (sector: number) => `${sector}+16 1 0 16 10 0 0 0 0 0 10 10 10 0 0:1\n`;
    expect(device.regions.print(0, middle, () => false)).toBe(line(16) + line(32));
    expect(device.regions.print(0, middle, () => true)).toBe(line(16) + line(32));
    const zero = (sector: number) => `${sector}+16 0 0 0 0 0 0 0 0 0 0 0 0 0 0:0\n`;
    expect(device.regions.print(0, everything)).toBe(line(0) + zero(16) + zero(32) + line(48));
    device.regions.clear(0);
    expect(device.regions.print(0, { firstArea: 3n, areaCount: 1n })).toBe(zero(48));
    expect(device.regions.print(0, { firstArea: 4n, areaCount: 1n })).toBe('');
  });

  test('count requests that begin while they are there, and no other', async () => {
    const { clock, device, create, print } = await start();
    const data = new Uint8Array(512);
    const before = submitBio(device, { op: Op.read, sectorCount: 1, data });
    await create();
    const during = submitBio(device, { op: Op.read, sectorCount: 1, data });
    await create();
    await clock.advance(10);
    await Promise.all([before, during]);
    expect(print(0)).toMatch(/^0\+64 1 0 1 /);
    expect(print(1)).toMatch(/^0\+64 0 0 0 /);
    const late = submitBio(device, { op: Op.read, sectorCount: 1, data });
    await device.changeRegions((regions) => regions.delete(0));
    await device.changeRegions((regions) => regions.delete(1));
    await create();
    await clock.advance(10);
    await late;
    expect(print(0)).toBe('0+64 0 0 0 0 0 0 0 0 0 0 0 0 0\n');
  });

  test.each([
    ['EINVAL', { length: 0n }],
    ['EINVAL', { step: 0n }],
    ['EINVAL', { start: (1n << 64n) - 1n, length: 1n }],
    ['EOVERFLOW', { length: 8_388_609n, step: 1n }],
    [
      'EOVERFLOW',
      { length: 8_388_608n, step: 1n, bounds: Array.from({ length: 16 }, (_, at) => BigInt(at)) },
    ],
    ['ENOMEM', { length: 8_388_608n, step: 1n }],
  ] as const)('are refused with %s: %o', (code, options) => {
    const memory = new StatisticsMemory(1 << 20);
    const regions = new RegionStatistics(new SimulatedClock(), memory);
    expect(() => regions.create(spec(options))).toThrow(expect.objectContaining({ code }));
    expect(memory.usedBytes).toBe(0);
    expect(regions.isEmpty).toBe(true);
  });

  test('may lie where no device reaches', () => {
    const regions = new RegionStatistics(new SimulatedClock());
    const length = (1n << 64n) - 1n;
    regions.create(spec({ length, step: length }));
    expect(regions.list()).toBe(`0: 0+${length} ${length} - -\n`);
    expect(regions.print(0, everything)).toBe(`0+${length} 0 0 0 0 0 0 0 0 0 0 0 0 0\n`);
  });

  test('give their memory back', () => {
    const memory = new StatisticsMemory(1 << 20);
    const regions = new RegionStatistics(new SimulatedClock(), memory);
    regions.create(spec());
    regions.create(spec({ bounds: [1n] }));
    expect(memory.usedBytes).toBe((16 + 18) * 8);
    regions.delete(0);
    expect(memory.usedBytes).toBe(18 * 8);
    regions.close();
    expect(memory.usedBytes).toBe(0);
  });
});

describe('bypasses', () => {
  class RecordedBypass implements Bypass {
    readonly calls: string[] = [];
    quiesce() {
      this.calls.push('quiesce');
      return Promise.resolve();
    }
    release() {
      this.calls.push('release');
    }
    statistics() {
      return undefined;
    }
  }

  test('look anew when the first region comes and when the last one goes', async () => {
    const { device, create } = await start();
    const bypass = new RecordedBypass();
    device.attachBypass(bypass);
    await create();
    expect(device.hasRegions).toBe(true);
    expect(bypass.calls.splice(0)).toEqual(['quiesce', 'release']);
    await create();
    await device.changeRegions((regions) => regions.delete(0));
    expect(bypass.calls).toEqual([]);
    await device.changeRegions((regions) => regions.delete(1));
    expect(device.hasRegions).toBe(false);
    expect(bypass.calls).toEqual(['quiesce', 'release']);
  });

  test('of a suspended device rest until it runs again', async () => {
    const { device, create } = await start();
    const bypass = new RecordedBypass();
    device.attachBypass(bypass);
    await device.suspend();
    await create();
    expect(bypass.calls).toEqual(['quiesce']);
    await device.resume();
    expect(bypass.calls).toEqual(['quiesce', 'release']);
  });
});
