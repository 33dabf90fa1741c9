import { expect, test } from 'vitest';
import { createPrng } from '../../base/prng.ts';
import { Coverage } from './coverage.ts';

test('pieces in order', () => {
  const coverage = new Coverage();
  expect(coverage.add(0, 10)).toBe(null);
  expect(coverage.isComplete(10)).toBe(true);
  expect(coverage.add(10, 5)).toBe(null);
  expect(coverage.isComplete(10)).toBe(false);
  expect(coverage.isComplete(15)).toBe(true);
  expect(coverage.add(14, 1)).toBe('overlap');
});

test.each<[string, [number, number][], [number, number]]>([
  ['the start', [[0, 10]], [0, 1]],
  ['a range from the left', [[20, 10]], [15, 6]],
  ['a range from the right', [[20, 10]], [29, 3]],
  ['a range inside', [[20, 10]], [22, 3]],
  ['a range from outside', [[20, 10]], [18, 20]],
  ['the same range', [[20, 10]], [20, 10]],
])('%s twice is refused', (_name, before, piece) => {
  const coverage = new Coverage();
  for (const [start, length] of before) expect(coverage.add(start, length)).toBe(null);
  expect(coverage.add(...piece)).toBe('overlap');
});

test('too many pieces apart are refused', () => {
  const coverage = new Coverage();
  let problem = null;
  for (let start = 1; start < 5000 && problem === null; start += 2)
    problem = coverage.add(start, 1);
  expect(problem).toBe('fragments');
});

test('any order completes, and only when all is there', () => {
  const prng = createPrng(7);
  for (let round = 0; round < 200; round += 1) {
    const coverage = new Coverage();
    const pieces: [number, number][] = [];
    let end = 0;
    while (end < 100) {
      const length = prng.integer(1, 20);
      pieces.push([end, length]);
      end += length;
    }
    while (pieces.length > 0) {
      expect(coverage.isComplete(end)).toBe(false);
      const [piece] = pieces.splice(prng.integer(0, pieces.length - 1), 1);
      expect(coverage.add(...piece!)).toBe(null);
    }
    expect(coverage.isComplete(end)).toBe(true);
  }
});
