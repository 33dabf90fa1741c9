import { describe, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { Errno } from '../base/errors.ts';
import { createPrng, randomSeed } from '../base/prng.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { BioFlag, Op } from '../core/bio.ts';
import { runBio, startBio } from '../testing/device-io.ts';
import { describeDevice } from '../testing/device-laws.ts';
import { SimulatedDisk, type SimulatedDiskOptions } from './simulated.ts';
import {
  constantLatency,
  exponentialLatency,
  mixedLatency,
  uniformLatency,
} from './simulated-faults.ts';

function createDisk(options: Partial<SimulatedDiskOptions> = {}, seed = 1) {
  const clock = new SimulatedClock();
  const prng = createPrng(seed);
  return { clock, disk: new SimulatedDisk({ sizeSectors: 64, clock, prng, ...options }) };
}

const filled = (value: number, sectorCount = 1) => new Uint8Array(sectorCount * 512).fill(value);

function write(disk: SimulatedDisk, sector: number, value: number, flags = 0) {
  return startBio(disk, { op: Op.write, sector, sectorCount: 1, data: filled(value), flags });
}

const firstBytes = (disk: SimulatedDisk, count: number) =>
  Array.from({ length: count }, (_, sector) => disk.peek(sector, 1)[0]);

describeDevice('the simulated disk', {
  create(sizeSectors) {
    const prng = createPrng(1);
    const device = new SimulatedDisk({ sizeSectors, clock: systemClock, prng });
    const failNext = (errno: number) => {
      const remove = device.addFault({ effect: { kind: 'error', errno }, nth: 1 });
      setImmediate(remove);
    };
    return { device, failNext };
  },
});

describeDevice('the simulated disk that takes its time', {
  create: (sizeSectors) => ({
    device: new SimulatedDisk({
      sizeSectors,
      clock: systemClock,
      prng: createPrng(2),
      latency: uniformLatency(0, 3),
      discarded: 'garbage',
    }),
  }),
});

describe('latency', () => {
  test('bios end when their time has come, in any order', async () => {
    const times = [30, 10, 20];
    const { clock, disk } = createDisk({ latency: () => times.shift()! });
    const ends: string[] = [];
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      void write(disk, index, 1).ended.then(() => ends.push(`${name} ${clock.nowMs()}`));
    }
    await clock.advance(15);
    expect(ends).toEqual(['b 10']);
    expect(disk.inFlightCount).toBe(2);
    await clock.runUntilIdle();
    expect(ends).toEqual(['b 10', 'c 20', 'a 30']);
  });

  test('distributions have the shape they promise', () => {
    const prng = createPrng(3);
    const bio = write(createDisk().disk, 0, 0).bio;
    const sample = (latency: ReturnType<typeof constantLatency>) =>
      Array.from({ length: 20_000 }, () => latency(prng, bio));
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(sample(uniformLatency(2, 4)))).toBeCloseTo(3, 1);
    const exponential = sample(exponentialLatency(5));
    expect(mean(exponential)).toBeGreaterThan(4.8);
    expect(mean(exponential)).toBeLessThan(5.2);
    const rare = sample(mixedLatency(constantLatency(1), constantLatency(200), 0.01));
    const slowCount = rare.filter((ms) => ms === 200).length;
    expect(slowCount).toBeGreaterThan(140);
    expect(slowCount).toBeLessThan(260);
  });
});

describe('power failure', () => {
  test('loses what was not flushed, and nothing that was', async () => {
    const { disk } = createDisk();
    write(disk, 0, 1);
    await runBio(disk, { op: Op.flush });
    write(disk, 1, 2);
    write(disk, 2, 3, BioFlag.fua);
    write(disk, 0, 4);
    expect(disk.volatileCount).toBe(2);
    disk.crash('lose-all');
    expect(firstBytes(disk, 3)).toEqual([1, 0, 3]);
  });

  test('a flush covers what had ended when it came, not what ends while it runs', async () => {
    const times = [10, 20, 20, 5];
    const { clock, disk } = createDisk({ latency: () => times.shift() ?? 0 });
    write(disk, 0, 1); // ends at 10
    await clock.advance(15);
    write(disk, 1, 2); // ends at 35
    await clock.advance(15);
    const flush = startBio(disk, { op: Op.flush }); // ends at 50
    await clock.advance(25);
    expect(await flush.ended).toBe(0);
    disk.crash('lose-all');
    expect(firstBytes(disk, 2)).toEqual([1, 0]);
  });

  test('a durable write is not undone by an older one', () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const { disk } = createDisk({}, seed);
      write(disk, 0, 1);
      write(disk, 0, 2, BioFlag.fua);
      disk.crash();
      expect(firstBytes(disk, 1)).toEqual([2]);
    }
  });

  test('ends what is under way, which may have reached the disk, and all that comes', async () => {
    const survivors = new Set<number | undefined>();
    for (let seed = 0; seed < 20; seed += 1) {
      const { disk } = createDisk({ latency: constantLatency(5) }, seed);
      const { ended } = write(disk, 0, 1);
      disk.crash();
      expect(await ended).toBe(Errno.EIO);
      expect(await write(disk, 0, 2).ended).toBe(Errno.EIO);
      survivors.add(firstBytes(disk, 1)[0]);
    }
    expect(survivors).toEqual(new Set([0, 1]));
  });

  test('leaves in each sector the flushed content or one written since; tears at sectors', async () => {
    const seed = randomSeed();
    const prng = createPrng(seed);
    const { disk } = createDisk({ sizeSectors: 32 }, seed);
    let isTorn = false;
    const possible = Array.from({ length: 32 }, () => new Set([0]));
    for (let value = 1; value < 200; value += 1) {
      const sector = prng.integer(0, 24);
      const data = filled(value, 8);
      await runBio(disk, { op: Op.write, sector, sectorCount: 8, data });
      for (let i = 0; i < 8; i += 1) possible[sector + i]!.add(value);
      if (prng.chance(0.1)) {
        await runBio(disk, { op: Op.flush });
        firstBytes(disk, 32).forEach((byte, at) => {
          possible[at] = new Set([byte!]);
        });
      }
      if (prng.chance(0.1)) {
        disk.crash();
        disk.powerOn();
        isTorn ||= disk.history.some((line) => line.includes('torn'));
        for (const [at, byte] of firstBytes(disk, 32).entries()) {
          expect(possible[at], `seed ${seed}, sector ${at}`).toContain(byte);
          expect(disk.peek(at, 1).every((each) => each === byte)).toBe(true);
          possible[at] = new Set([byte!]);
        }
      }
    }
    expect(isTorn, `seed ${seed}`).toBe(true);
  });

  test('happens the same way for the same seed', async () => {
    const run = () => {
      const { disk } = createDisk({ latency: exponentialLatency(3) }, 42);
      for (let i = 0; i < 30; i += 1) write(disk, i, i + 1);
      disk.crash();
      return [firstBytes(disk, 30), disk.history];
    };
    expect(run()).toEqual(run());
  });
});

describe('faults', () => {
  test('meet the operation, range and turn they name', async () => {
    const { disk } = createDisk();
    const remove = disk.addFault({
      op: Op.write,
      startSectors: 4,
      lengthSectors: 4,
      nth: 2,
      effect: { kind: 'error', errno: Errno.ENOSPC },
    });
    const data = filled(1);
    expect(await runBio(disk, { op: Op.read, sector: 4, sectorCount: 1, data })).toBe(0);
    const sectors = [3, 4, 7, 5, 8];
    const errors = await Promise.all(sectors.map((sector) => write(disk, sector, 1).ended));
    expect(errors).toEqual([0, 0, Errno.ENOSPC, 0, 0]);
    expect(firstBytes(disk, 8)).toEqual([0, 0, 0, 1, 1, 1, 0, 0]);
    expect(disk.errorCount).toBe(1);
    expect(disk.counts).toMatchObject({ read: 1, write: 5 });
    remove();
  });

  test('come with the probability they have, until removed', async () => {
    const { disk } = createDisk();
    const remove = disk.addFault({ probability: 0.25, effect: { kind: 'error', errno: 5 } });
    for (let i = 0; i < 1000; i += 1) write(disk, 0, 1);
    expect(disk.errorCount).toBeGreaterThan(200);
    expect(disk.errorCount).toBeLessThan(300);
    const { errorCount } = disk;
    remove();
    for (let i = 0; i < 100; i += 1) write(disk, 0, 1);
    expect(disk.errorCount).toBe(errorCount);
  });

  test('lose writes and flushes that are answered with success', async () => {
    const { disk } = createDisk();
    disk.addFault({ op: Op.write, nth: 1, effect: { kind: 'lose' } });
    disk.addFault({ op: Op.flush, effect: { kind: 'lose' } });
    expect(await write(disk, 0, 1).ended).toBe(0);
    expect(await write(disk, 1, 1).ended).toBe(0);
    expect(await runBio(disk, { op: Op.flush })).toBe(0);
    expect(firstBytes(disk, 2)).toEqual([0, 1]);
    disk.crash('lose-all');
    expect(firstBytes(disk, 2)).toEqual([0, 0]);
  });

  test('stall one bio, or all, until told; closing waits for them', async () => {
    const { disk } = createDisk();
    disk.addFault({ op: Op.flush, effect: { kind: 'stall' } });
    const flush = startBio(disk, { op: Op.flush });
    expect(await write(disk, 0, 1).ended).toBe(0);
    disk.stall();
    const late = write(disk, 1, 1);
    expect([flush.bio.endCount, late.bio.endCount]).toEqual([0, 0]);
    let isClosed = false;
    const closing = disk.close().then(() => {
      isClosed = true;
    });
    await Promise.resolve();
    expect(isClosed).toBe(false);
    disk.unstall();
    await closing;
    expect([flush.bio.endCount, late.bio.endCount]).toEqual([1, 1]);
  });
});

test('keeps the last events for failure messages', () => {
  const { disk } = createDisk({ historyLimit: 2 });
  for (let i = 0; i < 5; i += 1) write(disk, i, 1, i === 4 ? BioFlag.fua : 0);
  expect(disk.history).toEqual(['0.000 ms: write 3+1 ok', '0.000 ms: write 4+1 fua ok']);
});

test('content that is poked was always there', () => {
  const { disk } = createDisk();
  disk.poke(3, filled(9, 2));
  disk.crash('lose-all');
  expect(firstBytes(disk, 6)).toEqual([0, 0, 0, 9, 9, 0]);
});
