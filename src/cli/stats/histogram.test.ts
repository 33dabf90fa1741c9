import { describe, expect, test } from 'vitest';
import {
  boundsArgument,
  type HistogramStyle,
  histogramText,
  needPrecision,
  parseBounds,
} from './histogram.ts';

describe('bounds', () => {
  test.each([
    ['10', [10n]],
    ['1,2,3', [1n, 2n, 3n]],
    ['1ms,10ms,1s', [1_000_000n, 10_000_000n, 1_000_000_000n]],
    ['100ns,5us', [100n, 5000n]],
    // A number without a unit has that of the one before it.
    ['1ms,10', [1_000_000n, 10_000_000n]],
    ['1,2s,3', [1n, 2_000_000_000n, 3_000_000_000n]],
  ])('%s', (text, bounds) => {
    expect(parseBounds(text)).toEqual(bounds);
  });

  test.each([
    ['1xs', 'Invalid character in histogram: x'],
    ['1,2s,3m', 'Invalid character in histogram: m'],
    ['', 'Invalid character in histogram: '],
    [',1', 'Empty histogram bin not allowed: ,1'],
    ['1,,2', 'Empty histogram bin not allowed: 1,,2'],
    ['-1', 'Invalid character in histogram: -'],
  ])('refuses "%s"', (text, message) => {
    expect(() => parseBounds(text)).toThrow(message);
  });

  test('are sent in milliseconds when those are enough', () => {
    expect(needPrecision([1_000_000n, 5_000_000n])).toBe(false);
    expect(needPrecision([1_000_000n, 5_000_001n])).toBe(true);
    expect(boundsArgument([1_000_000n, 5_000_000n], false)).toBe('1,5');
    expect(boundsArgument([1_000_000n, 5_000_001n], true)).toBe('1000000,5000001');
  });
});

/** As dmstats 1.02.185 printed them. */
describe('texts', () => {
  const style = (
    values: HistogramStyle['values'],
    bounds: HistogramStyle['bounds'],
    others: Partial<HistogramStyle> = {},
  ): HistogramStyle => ({ values, bounds, suffix: true, aligned: true, ...others });
  const histogram = { boundsNs: [1_000_000n, 10_000_000n], counts: [12n, 4n, 0n] };

  test.each([
    [style('counts', 'none'), '    12     4     0'],
    [style('counts', 'range'), '0s-1ms:    12,1ms-10ms:   4, >10ms:     0'],
    [style('counts', 'lower'), '    0s:    12,   1ms:     4,  10ms:     0'],
    [
      style('counts', 'lower', { suffix: false }),
      '         0:    12,   1000000:     4,  10000000:     0',
    ],
    [style('percent', 'none'), ' 75.00% 25.00%  0.00%'],
    [style('percent', 'range'), '0s-1ms: 75.00%,1ms-10ms:25.00%, >10ms:  0.00%'],
    [style('percent', 'lower', { aligned: false }), '0s:75.00%:1ms:25.00%:10ms:0.00%'],
    [style('counts', 'lower', { aligned: false }), '0s:12:1ms:4:10ms:0'],
    [style('counts', 'none', { aligned: false }), '12:4:0'],
    [style('none', 'lower'), '0s,1ms,10ms'],
    [style('none', 'range'), '0s-1ms,1ms-10ms,>10ms'],
  ])('%o', (how, text) => {
    expect(histogramText(histogram, how)).toBe(text);
  });

  test('percent of nothing are none, and nearly all are not all', () => {
    const percent = style('percent', 'none', { aligned: false });
    expect(histogramText({ boundsNs: [1n], counts: [0n, 0n] }, percent)).toBe('0.00%:0.00%');
    expect(histogramText({ boundsNs: [1n], counts: [3n, 0n] }, percent)).toBe('100.00%:0.00%');
    expect(histogramText({ boundsNs: [1n], counts: [1n, 2n] }, percent)).toBe('33.33%:66.67%');
  });
});
