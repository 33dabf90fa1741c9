/**
 * What every bio asks about the rows of a table, in compact arrays: which row holds a sector, where it ends, and whether it
 * only shifts. A table of thousands of rows stays in the processor's cache this way, its row and target objects do not.
 */

import type { BlockDevice } from './device.ts';
import type { Target } from './target.ts';

interface IndexedRow {
  /** First sector behind the row. */
  readonly end: number;
  readonly target: Target;
}

export class RowIndex {
  readonly #ends: Float64Array;
  /** For each run of `2 ** n` sectors the row that holds its first sector, and one entry more. */
  readonly #firstRows: Uint32Array;
  readonly #runsPerSector: number;
  readonly #shifts: Float64Array;
  readonly #shiftDevices: Uint32Array;
  readonly #devices: readonly BlockDevice[];

  constructor(rows: readonly IndexedRow[], devices: readonly BlockDevice[]) {
    this.#ends = Float64Array.from(rows, ({ end }) => end);
    const sizeSectors = rows.at(-1)?.end ?? 0;
    const runSectors = 2 ** Math.floor(Math.log2(Math.max(1, sizeSectors / rows.length)));
    this.#runsPerSector = 1 / runSectors;
    this.#firstRows = firstRows(this.#ends, runSectors);
    this.#devices = devices;
    const numbers = new Map(devices.map((device, number) => [device, number]));
    this.#shifts = Float64Array.from(rows, ({ target }) => target.shift?.sectors ?? Number.NaN);
    this.#shiftDevices = Uint32Array.from(rows, ({ target }) =>
      target.shift ? numbers.get(target.shift.device)! : 0,
    );
  }

  /** The row that holds `sector`, which must be inside the table. */
  find(sector: number): number {
    const run = Math.floor(sector * this.#runsPerSector);
    const ends = this.#ends;
    let low = this.#firstRows[run]!;
    let high = this.#firstRows[run + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sector < ends[middle]!) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  endOf(row: number): number {
    return this.#ends[row]!;
  }

  /** By how many sectors a row moves requests; NaN: its target has to be asked. */
  shiftOf(row: number): number {
    return this.#shifts[row]!;
  }

  shiftDeviceOf(row: number): BlockDevice {
    return this.#devices[this.#shiftDevices[row]!]!;
  }
}

function firstRows(ends: Float64Array, runSectors: number): Uint32Array {
  const runCount = Math.ceil((ends.at(-1) ?? 0) / runSectors);
  const first = new Uint32Array(runCount + 1);
  let row = 0;
  for (let run = 0; run <= runCount; run += 1) {
    while (row < ends.length - 1 && ends[row]! <= run * runSectors) row += 1;
    first[run] = row;
  }
  return first;
}
