import { describe, expect, test } from 'vitest';
import { createPrng } from '../../base/prng.ts';
import { Op } from '../../core/bio.ts';
import type { RequestShape } from './decide.ts';
import { createSampler } from './latency.ts';
import type { Distribution } from './rule.ts';
import { SpinningDisk } from './spinning-disk.ts';

const READ: RequestShape = { op: Op.read, sector: 0, sectorCount: 8 };

function samples(distribution: Distribution): number[] {
  const prng = createPrng(5);
  const sample = createSampler(distribution, 1000);
  return Array.from({ length: 20_000 }, () => sample(READ, 0, prng)).sort((a, b) => a - b);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

describe('distributions', () => {
  test('fixed', () => {
    expect(new Set(samples({ name: 'fixed', ms: 7 }))).toEqual(new Set([7]));
  });

  test('uniform', () => {
    const values = samples({ name: 'uniform', minMs: 2, maxMs: 6 });
    expect(values[0]).toBeGreaterThanOrEqual(2);
    expect(values.at(-1)).toBeLessThan(6);
    expect(mean(values)).toBeCloseTo(4, 1);
    expect(values[5000]).toBeCloseTo(3, 1);
  });

  test('normal', () => {
    const values = samples({ name: 'normal', meanMs: 20, deviationMs: 3 });
    expect(mean(values)).toBeCloseTo(20, 0);
    // 84.13 % lie below the mean and one deviation.
    expect(values[16_826]).toBeCloseTo(23, 0);
    expect(samples({ name: 'normal', meanMs: 1, deviationMs: 5 })[0]).toBe(0);
  });

  test('pareto', () => {
    const values = samples({ name: 'pareto', minMs: 1, maxMs: 100, shape: 1 });
    expect(values[0]).toBeGreaterThanOrEqual(1);
    // The median is twice the least for this shape, and a hundredth is cut off.
    expect(values[10_000]).toBeCloseTo(2, 1);
    expect(values[18_000]! / 10).toBeCloseTo(1, 0);
    expect(values.at(-1)).toBe(100);
  });
});

describe('a spinning disk', () => {
  /** A turn takes 10 ms. */
  const options: Extract<Distribution, { name: 'disk' }> = {
    name: 'disk',
    rotationsPerMinute: 6000,
    seekMs: 8,
    trackSectors: 100,
  };
  const at = (sector: number, sectorCount: number) => ({ op: Op.read, sector, sectorCount });

  test('waits for the sector, then transfers a track in a turn', () => {
    const disk = new SpinningDisk(options, 10_000);
    expect(disk.serve(at(50, 10), 0)).toBeCloseTo(6);
  });

  test('goes on at once where it ended', () => {
    const disk = new SpinningDisk(options, 10_000);
    disk.serve(at(0, 10), 0);
    expect(disk.serve(at(10, 10), 0)).toBeCloseTo(2);
    expect(disk.serve(at(20, 10), 5)).toBeCloseTo(6);
  });

  test('waits for a turn when the same sector is wanted again', () => {
    const disk = new SpinningDisk(options, 10_000);
    disk.serve(at(0, 10), 0);
    expect(disk.serve(at(0, 10), 1)).toBeCloseTo(11);
  });

  test('serves one after the other; a flush waits for those before', () => {
    const disk = new SpinningDisk(options, 10_000);
    disk.serve(at(50, 10), 0);
    expect(disk.serve({ op: Op.flush, sector: 0, sectorCount: 0 }, 0)).toBeCloseTo(6);
    expect(disk.serve(at(50, 10), 0)).toBeCloseTo(16);
  });

  test('takes the average seek and half a turn for random requests', () => {
    const prng = createPrng(1);
    const disk = new SpinningDisk(options, 1_000_000);
    let nowMs = 0;
    const count = 5000;
    for (let index = 0; index < count; index += 1) {
      nowMs = disk.serve(at(prng.integer(0, 999_990), 1), nowMs);
    }
    expect(nowMs / count).toBeCloseTo(8 + 5 + 0.1, 0);
  });
});
