/** One region of dm-statistics: a range of a mapped device cut into areas of equal length, each with counters of its own. */

import { DmError } from '../../base/errors.ts';
import { Areas } from './areas.ts';
import type { StatisticsMemory } from './statistics-memory.ts';

/** The kernel's DM_STAT_MAX_ENTRIES and DM_STAT_MAX_HISTOGRAM_ENTRIES. */
const MAX_AREAS = 8_388_608n;
const MAX_HISTOGRAM_BINS = 134_217_728n;
const NANOSECONDS_PER_MS = 1e6;

/** As a message asks for it. Sectors are those of the kernel, up to 2^64, beyond the device's end too. */
export interface RegionSpec {
  start: bigint;
  length: bigint;
  /** Length of an area. */
  step: bigint;
  preciseTimestamps: boolean;
  /** Ascending, in ns with precise timestamps, else in ms; empty for no histogram. */
  bounds: readonly bigint[];
  programId: string;
  auxiliaryData: string;
}

/** What a request was when it began. */
export interface BegunIo {
  isWrite: boolean;
  sector: number;
  sectorCount: number;
  merged: boolean;
  startMs: number;
}

export class Region {
  readonly id: number;
  readonly spec: Readonly<RegionSpec>;
  auxiliaryData: string;
  readonly #areas: Areas;
  readonly #memory: StatisticsMemory;
  readonly #memoryBytes: number;
  // As numbers: exact wherever a device can reach, and just large beyond.
  readonly #start: number;
  readonly #end: number;
  readonly #step: number;
  #closed = false;

  constructor(id: number, spec: RegionSpec, options: { memory: StatisticsMemory; nowMs: number }) {
    const areaCount = countAreas(spec);
    this.id = id;
    this.spec = spec;
    this.auxiliaryData = spec.auxiliaryData;
    this.#start = Number(spec.start);
    this.#end = Number(spec.start + spec.length);
    this.#step = Number(spec.step);
    this.#memory = options.memory;
    this.#memoryBytes = Areas.bytesFor(areaCount, spec.bounds.length);
    this.#memory.take(this.#memoryBytes);
    const bounds = Float64Array.from(spec.bounds, Number);
    this.#areas = new Areas(areaCount, bounds, this.#inUnit(options.nowMs));
  }

  get areaCount(): number {
    return this.#areas.count;
  }

  #inUnit(durationMs: number): number {
    return this.spec.preciseTimestamps ? durationMs * NANOSECONDS_PER_MS : durationMs;
  }

  begin(io: BegunIo): void {
    const now = this.#inUnit(io.startMs);
    this.#visitAreas(io, (area) => this.#areas.begin(area, io.isWrite, now));
  }

  end(io: BegunIo, nowMs: number): void {
    const now = this.#inUnit(nowMs);
    const duration = this.#inUnit(nowMs - io.startMs);
    const { isWrite, merged } = io;
    this.#visitAreas(io, (area, sectorCount) => {
      this.#areas.end(area, { isWrite, sectorCount, merged, duration }, now);
    });
  }

  withdraw(io: BegunIo, nowMs: number): void {
    const now = this.#inUnit(nowMs);
    this.#visitAreas(io, (area) => this.#areas.withdraw(area, io.isWrite, now));
  }

  /** Calls back for each area that the request touches, with how many of its sectors lie there. */
  #visitAreas(io: BegunIo, visit: (area: number, sectorCount: number) => void): void {
    const end = Math.min(io.sector + io.sectorCount, this.#end);
    let sector = Math.max(io.sector, this.#start);
    while (sector < end) {
      const area = Math.floor((sector - this.#start) / this.#step);
      const areaEnd = Math.min(end, this.#start + (area + 1) * this.#step);
      visit(area, areaEnd - sector);
      sector = areaEnd;
    }
  }

  /** As a line of `@stats_list`, without its end. */
  describe(): string {
    const { start, length, step, programId, preciseTimestamps, bounds } = this.spec;
    const range = `${start}+${length} ${step}`;
    const precise = preciseTimestamps ? ' precise_timestamps' : '';
    const histogram = bounds.length > 0 ? ` histogram:${bounds.join(',')}` : '';
    return `${this.id}: ${range} ${programId} ${this.auxiliaryData}${precise}${histogram}`;
  }

  /** Lines of `@stats_print` for areas from `firstArea` up to `endArea`. */
  format(firstArea: number, endArea: number, nowMs: number): string {
    const now = this.#inUnit(nowMs);
    const { start, step } = this.spec;
    let text = '';
    for (let area = firstArea; area < endArea; area += 1) {
      // The last one too has the length of an area, as in the kernel, even where the region ends before.
      text += `${start + BigInt(area) * step}+${step} ${this.#areas.format(area, now)}\n`;
    }
    return text;
  }

  clear(firstArea: number, endArea: number, nowMs: number): void {
    this.#areas.clear(firstArea, endArea, this.#inUnit(nowMs));
  }

  /** Gives the memory back to the budget; requests that began before may still end here. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#memory.giveBack(this.#memoryBytes);
  }
}

function countAreas({ start, length, step, bounds }: RegionSpec): number {
  const end = start + length;
  if (length <= 0n || step <= 0n || BigInt.asUintN(64, end) !== end) {
    throw new DmError(
      'EINVAL',
      `Cannot create region ${start}+${length} with areas of ${step} sectors: expected at least one sector, an end below 2^64, and areas of one sector or more`,
    );
  }
  const areaCount = (length + step - 1n) / step;
  const binCount = areaCount * BigInt(bounds.length + 1);
  if (areaCount > MAX_AREAS || binCount > MAX_HISTOGRAM_BINS) {
    throw new DmError(
      'EOVERFLOW',
      `Cannot create region ${start}+${length}: ${areaCount} areas with ${bounds.length} histogram bounds, expected at most ${MAX_AREAS} areas and ${MAX_HISTOGRAM_BINS} bins`,
    );
  }
  return Number(areaCount);
}
