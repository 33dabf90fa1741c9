import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  DELAY_MS,
  ISOLATION_PROGRAMS,
  measureIsolation,
  RISE_MS_MAX,
  type SlowDisk,
} from '../../bench/isolation.ts';
import { requireTools } from '../../src/testing/tools.ts';

const variants: [slowDisk: SlowDisk, operation: 'randread' | 'randwrite'][] = [
  ['fuse', 'randread'],
  ['fuse', 'randwrite'],
  ['nbd', 'randread'],
  ['nbd', 'randwrite'],
];

requireTools(...ISOLATION_PROGRAMS)('a device beside one whose disk takes 200 ms', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'devmapper-isolation-'));
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(variants)('keeps its latency: slow disk over %s, %s', async (slowDisk, operation) => {
    const own = join(folder, `${slowDisk}-${operation}`);
    mkdirSync(own);
    const result = await measureIsolation({
      folder: own,
      slowDisk,
      operation,
      rounds: 3,
      seconds: 1,
      untilClear: true,
    });
    // Else nothing was tested: the slow disk must have been busy, and slow.
    expect(result.slowRequests).toBeGreaterThan(50);
    expect(result.slowMedianMs).toBeGreaterThanOrEqual(DELAY_MS);
    expect(result.riseMs, JSON.stringify(result)).toBeLessThanOrEqual(RISE_MS_MAX);
  });
});
