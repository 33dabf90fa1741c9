import { describe, expect, it } from 'vitest';
import { createPrng } from '../base/prng.ts';
import type { BlockDevice } from './device.ts';
import { RowIndex } from './row-index.ts';
import type { Row } from './table.ts';

const devices = [{}, {}, {}] as BlockDevice[];

/** Rows of these lengths; every other one shifts, to the device of its number modulo 3. */
function rowsOf(lengths: readonly number[]): Row[] {
  let start = 0;
  return lengths.map((length, number) => {
    const shift = { device: devices[number % 3]!, sectors: -number };
    const target = number % 2 === 0 ? { shift } : {};
    const row = { start, length, end: start + length, target };
    start = row.end;
    return row as Row;
  });
}

function expectRow(index: RowIndex, rows: readonly Row[], sector: number): void {
  const expected = rows.findIndex(({ end }) => sector < end);
  expect(index.find(sector), `row of sector ${sector}`).toBe(expected);
  expect(index.endOf(expected)).toBe(rows[expected]!.end);
  const { shift } = rows[expected]!.target;
  expect(index.shiftOf(expected)).toBe(shift?.sectors ?? Number.NaN);
  if (shift) expect(index.shiftDeviceOf(expected)).toBe(shift.device);
}

describe('RowIndex', () => {
  it.each([
    ['one sector', [1]],
    ['one row', [100]],
    ['equal rows', [8, 8, 8, 8, 8]],
    ['a short row first', [1, 2 ** 40]],
    ['a short row last', [2 ** 40, 1]],
    ['many short rows behind a long one', [2 ** 20, 1, 1, 1, 1, 1, 1, 1]],
    ['the largest table there can be', [2 ** 43, 2 ** 43 - 1]],
  ])('finds the row at each end of each row: %s', (_, lengths) => {
    const rows = rowsOf(lengths);
    const index = new RowIndex(rows, devices);
    for (const { start, end } of rows) {
      expectRow(index, rows, start);
      expectRow(index, rows, end - 1);
    }
  });

  it.each([1, 2, 3, 4, 5])('agrees with a search from the front, seed %i', (seed) => {
    const prng = createPrng(seed);
    const longest = prng.pick([3, 100, 1_000_000]);
    const lengths = Array.from({ length: prng.integer(1, 300) }, () => prng.integer(1, longest));
    const rows = rowsOf(lengths);
    const index = new RowIndex(rows, devices);
    for (let i = 0; i < 2000; i += 1) {
      expectRow(index, rows, prng.integer(0, rows.at(-1)!.end - 1));
    }
  });
});
