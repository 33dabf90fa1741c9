import { expect, test } from 'vitest';
import { DEFAULT_LIMITS, leastCommonMultiple, stackLimits } from './limits.ts';

test.each([
  [0, 0, 0],
  [0, 8, 8],
  [8, 0, 8],
  [4, 6, 12],
  [512, 4096, 4096],
  [3 * 2 ** 31, 2 ** 32, 3 * 2 ** 32],
])('least common multiple of %i and %i is %i', (a, b, result) => {
  expect(leastCommonMultiple(a, b)).toBe(result);
});

test('nothing changes on top of the defaults', () => {
  expect(stackLimits(DEFAULT_LIMITS, DEFAULT_LIMITS)).toEqual(DEFAULT_LIMITS);
});

test('the device on top promises what each below keeps', () => {
  const a = {
    logicalBlockBytes: 512,
    physicalBlockBytes: 4096,
    ioMinBytes: 4096,
    ioOptBytes: 6144,
    maxIoSectors: 256,
    discardGranularityBytes: 4096,
  };
  const b = { ...DEFAULT_LIMITS, logicalBlockBytes: 2048, ioOptBytes: 4096, maxIoSectors: 128 };
  const both = {
    logicalBlockBytes: 2048,
    physicalBlockBytes: 4096,
    ioMinBytes: 4096,
    ioOptBytes: 12_288,
    maxIoSectors: 128,
    discardGranularityBytes: 4096,
  };
  expect(stackLimits(a, b)).toEqual(both);
  expect(stackLimits(b, a)).toEqual(both);
});

test('the smallest of the largest discards', () => {
  const [some, more] = [8, 32].map((maxDiscardSectors) => ({
    ...DEFAULT_LIMITS,
    maxDiscardSectors,
  }));
  expect(stackLimits(more!, some!).maxDiscardSectors).toBe(8);
  expect(stackLimits(DEFAULT_LIMITS, more!).maxDiscardSectors).toBe(32);
});

test('one device without discard and there is none', () => {
  const without = { ...DEFAULT_LIMITS, discardGranularityBytes: 0 };
  expect(stackLimits(DEFAULT_LIMITS, without).discardGranularityBytes).toBe(0);
  expect(stackLimits(without, DEFAULT_LIMITS).discardGranularityBytes).toBe(0);
});
