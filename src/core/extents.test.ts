import { expect, test } from 'vitest';
import { ExtentFlag, ExtentList } from './extents.ts';

const { hole, zero } = ExtentFlag;
const extent = (offsetSectors: number, lengthSectors: number, flags: number) => ({
  offsetSectors,
  lengthSectors,
  flags,
});

test('what nobody described is data', () => {
  expect(new ExtentList().normalized(8)).toEqual([extent(0, 8, 0)]);
  expect(new ExtentList().normalized(0)).toEqual([]);
});

test('parts in any order are sorted, gaps filled, equal neighbours joined', () => {
  const list = new ExtentList();
  list.add(6, 2, hole | zero);
  list.add(4, 2, hole | zero);
  list.add(0, 2, zero);
  expect(list.normalized(10)).toEqual([
    extent(0, 2, zero),
    extent(2, 2, 0),
    extent(4, 4, hole | zero),
    extent(8, 2, 0),
  ]);
});

test('what lies outside the range is cut off', () => {
  const list = new ExtentList();
  list.add(-2, 4, zero);
  list.add(6, 10, zero);
  list.add(20, 5, hole);
  expect(list.normalized(8)).toEqual([extent(0, 2, zero), extent(2, 4, 0), extent(6, 2, zero)]);
  list.clear();
  list.add(8, 4, hole);
  expect(list.normalized(8)).toEqual([extent(0, 8, 0)]);
});

test('of parts that overlap the first one counts', () => {
  const list = new ExtentList();
  list.add(0, 6, zero);
  list.add(2, 8, hole);
  expect(list.normalized(8)).toEqual([extent(0, 6, zero), extent(6, 2, hole)]);
});

test("a clone's answer moves into its parent's", () => {
  const clone = new ExtentList();
  clone.add(0, 4, hole);
  const list = new ExtentList();
  list.addAll(clone, 4);
  expect(list.normalized(8)).toEqual([extent(0, 4, 0), extent(4, 4, hole)]);
});
