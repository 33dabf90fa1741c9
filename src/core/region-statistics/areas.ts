/**
 * Counters of the areas of one region, as dm-statistics keeps them (Documentation/admin-guide/device-mapper/statistics.rst).
 *
 * Times are in the region's unit: milliseconds, or nanoseconds with precise timestamps. They are kept as fractions and cut off
 * when read, so that many short requests add up to what they took together.
 */

/** How many numbers an area prints in front of its histogram. */
const COUNTER_COUNT = 13;

// The counters in the order in which they are printed.
const READS = 0;
const WRITES = 4;
/** From READS or WRITES on. */
const IOS = 0;
const MERGES = 1;
const SECTORS = 2;
const TICKS = 3;
const IN_FLIGHT = 8;
const IO_TICKS = 9;
const TIME_IN_QUEUE = 10;
const READ_IO_TICKS = 11;
const WRITE_IO_TICKS = 12;

// What is not printed: when the times were last brought up to date, and what is in flight of each kind.
const STAMP = 13;
const READS_IN_FLIGHT = 14;
const WRITES_IN_FLIGHT = 15;
const WORDS = 16;

export interface AreaEnd {
  isWrite: boolean;
  sectorCount: number;
  /** The request began where the one before it ended. */
  merged: boolean;
  duration: number;
}

export class Areas {
  readonly count: number;
  readonly #bounds: Float64Array;
  readonly #words: Float64Array;
  readonly #histograms: Float64Array;

  /** `bounds` are the ascending upper ends of all histogram bins but the last; empty for no histogram. */
  constructor(count: number, bounds: Float64Array, now: number) {
    this.count = count;
    this.#bounds = bounds;
    this.#words = new Float64Array(count * WORDS);
    this.#histograms = new Float64Array(count * binCount(bounds.length));
    for (let at = STAMP; at < this.#words.length; at += WORDS) this.#words[at] = now;
  }

  /** What the constructor would take. */
  static bytesFor(count: number, boundCount: number): number {
    return count * (WORDS + binCount(boundCount)) * Float64Array.BYTES_PER_ELEMENT;
  }

  begin(area: number, isWrite: boolean, now: number): void {
    this.#bringUpToDate(area, now);
    this.#words[area * WORDS + (isWrite ? WRITES_IN_FLIGHT : READS_IN_FLIGHT)]! += 1;
  }

  end(area: number, { isWrite, sectorCount, merged, duration }: AreaEnd, now: number): void {
    this.withdraw(area, isWrite, now);
    const words = this.#words;
    const at = area * WORDS + (isWrite ? WRITES : READS);
    words[at + IOS]! += 1;
    words[at + SECTORS]! += sectorCount;
    words[at + TICKS]! += duration;
    if (merged) words[at + MERGES]! += 1;
    if (this.#bounds.length > 0)
      this.#histograms[area * binCount(this.#bounds.length) + this.#binOf(duration)]! += 1;
  }

  /** What was begun does not end: it goes back to a queue, to be begun again. */
  withdraw(area: number, isWrite: boolean, now: number): void {
    this.#bringUpToDate(area, now);
    this.#words[area * WORDS + (isWrite ? WRITES_IN_FLIGHT : READS_IN_FLIGHT)]! -= 1;
  }

  /** The index of the bin whose bounds `duration` lies between; a bound belongs to the bin above it. */
  #binOf(duration: number): number {
    let low = 0;
    let high = this.#bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#bounds[middle]! > duration) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #bringUpToDate(area: number, now: number): void {
    const words = this.#words;
    const at = area * WORDS;
    const passed = now - words[at + STAMP]!;
    words[at + STAMP] = now;
    const reads = words[at + READS_IN_FLIGHT]!;
    const writes = words[at + WRITES_IN_FLIGHT]!;
    if (passed <= 0 || reads + writes === 0) return;
    if (reads > 0) words[at + READ_IO_TICKS]! += passed;
    if (writes > 0) words[at + WRITE_IO_TICKS]! += passed;
    words[at + IO_TICKS]! += passed;
    words[at + TIME_IN_QUEUE]! += passed * (reads + writes);
  }

  /** The 13 counters, and the histogram's bins where there is one, as `@stats_print` shows them. */
  format(area: number, now: number): string {
    this.#bringUpToDate(area, now);
    const at = area * WORDS;
    const counters = [...this.#words.subarray(at, at + COUNTER_COUNT)].map(Math.floor);
    counters[IN_FLIGHT] = this.#words[at + READS_IN_FLIGHT]! + this.#words[at + WRITES_IN_FLIGHT]!;
    const bins = binCount(this.#bounds.length);
    if (bins === 0) return counters.join(' ');
    const histogram = this.#histograms.subarray(area * bins, (area + 1) * bins);
    return `${counters.join(' ')} ${histogram.join(':')}`;
  }

  /** Sets to zero what was counted; what is in flight goes on being so. */
  clear(firstArea: number, endArea: number, now: number): void {
    const bins = binCount(this.#bounds.length);
    for (let area = firstArea; area < endArea; area += 1) {
      this.#bringUpToDate(area, now);
      this.#words.fill(0, area * WORDS, area * WORDS + COUNTER_COUNT);
      this.#histograms.fill(0, area * bins, (area + 1) * bins);
    }
  }
}

function binCount(boundCount: number): number {
  return boundCount === 0 ? 0 : boundCount + 1;
}
