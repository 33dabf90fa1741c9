/**
 * dm-statistics of one mapped device: its regions, and the requests under way that they count.
 *
 * Invariants
 * - A request is counted by the regions that were there when it began, whatever is created or deleted meanwhile.
 * - Regions are sorted by id; a new one gets the lowest id that is free.
 * - While there is no region, the device does not know this object: an idle device pays one null check for each request.
 */

import type { Clock } from '../../base/clock.ts';
import { DmError } from '../../base/errors.ts';
import { type Bio, Op } from '../bio.ts';
import { visitPieces } from '../submit.ts';
import type { Table } from '../table.ts';
import { type BegunIo, Region, type RegionSpec } from './region.ts';
import { processStatisticsMemory, type StatisticsMemory } from './statistics-memory.ts';

interface TrackedBio {
  regions: readonly Region[];
  /** One for each piece that the table makes of the request: the kernel counts those. */
  pieces: BegunIo[];
}

export class RegionStatistics {
  readonly #clock: Clock;
  readonly #memory: StatisticsMemory;
  readonly #tracked = new Map<Bio, TrackedBio>();
  /** Replaced, never changed: requests under way keep the list they began with. */
  #regions: readonly Region[] = [];
  /** Where the last request ended and what it was; one that goes on there counts as merged, as in the kernel. */
  #lastEndSector = -1;
  #lastIsWrite = false;

  constructor(clock: Clock, memory: StatisticsMemory = processStatisticsMemory) {
    this.#clock = clock;
    this.#memory = memory;
  }

  get isEmpty(): boolean {
    return this.#regions.length === 0;
  }

  /** A request enters the table. */
  begin(bio: Bio, table: Table): void {
    const isOutside = bio.sector + bio.sectorCount > table.sizeSectors;
    if (bio.sectorCount === 0 || bio.op === Op.blockStatus || isOutside) return;
    const startMs = this.#clock.nowMs();
    const { isWrite } = bio;
    const tracked: TrackedBio = { regions: this.#regions, pieces: [] };
    visitPieces(table, bio, (sector, sectorCount) => {
      const merged = sector === this.#lastEndSector && isWrite === this.#lastIsWrite;
      this.#lastEndSector = sector + sectorCount;
      this.#lastIsWrite = isWrite;
      const io = { isWrite, sector, sectorCount, merged, startMs };
      tracked.pieces.push(io);
      for (const region of tracked.regions) region.begin(io);
    });
    this.#tracked.set(bio, tracked);
  }

  /** All of a request ended, with or without success. */
  end(bio: Bio): void {
    const nowMs = this.#clock.nowMs();
    this.#finish(bio, (region, io) => region.end(io, nowMs));
  }

  /** A request goes back to the device's queue. */
  withdraw(bio: Bio): void {
    const nowMs = this.#clock.nowMs();
    this.#finish(bio, (region, io) => region.withdraw(io, nowMs));
  }

  #finish(bio: Bio, act: (region: Region, io: BegunIo) => void): void {
    const tracked = this.#tracked.get(bio);
    if (!tracked) return;
    this.#tracked.delete(bio);
    for (const region of tracked.regions) for (const io of tracked.pieces) act(region, io);
  }

  /** Returns the new region's id. */
  create(spec: RegionSpec): number {
    const regions = this.#regions;
    const index = regions.findIndex(({ id }, at) => id !== at);
    const id = index < 0 ? regions.length : index;
    const options = { memory: this.#memory, nowMs: this.#clock.nowMs() };
    const region = new Region(id, spec, options);
    this.#regions = [...regions.slice(0, id), region, ...regions.slice(id)];
    return id;
  }

  delete(id: number): void {
    const region = this.get(id);
    this.#regions = this.#regions.filter((each) => each !== region);
    region.close();
    // Without regions nobody tells us of ends.
    if (this.isEmpty) this.#tracked.clear();
  }

  /** Throws ENOENT. */
  get(id: number): Region {
    const region = this.#regions.find((each) => each.id === id);
    if (!region) throw new DmError('ENOENT', `There is no statistics region ${id}`);
    return region;
  }

  /** A line for each region, or for each of a program's. */
  list(programId?: string): string {
    return this.#regions
      .filter(({ spec }) => programId === undefined || spec.programId === programId)
      .map((region) => `${region.describe()}\n`)
      .join('');
  }

  clear(id: number): void {
    const region = this.get(id);
    region.clear(0, region.areaCount, this.#clock.nowMs());
  }

  /** Lines of areas. `take` says whether to set them to zero afterwards, seeing what they were. */
  print(
    id: number,
    range: { firstArea: bigint; areaCount: bigint },
    take: (text: string) => boolean = () => false,
  ): string {
    const region = this.get(id);
    const limit = BigInt(region.areaCount);
    const first = smaller(range.firstArea, limit);
    const end = smaller(first + range.areaCount, limit);
    const nowMs = this.#clock.nowMs();
    const text = region.format(Number(first), Number(end), nowMs);
    if (take(text)) region.clear(Number(first), Number(end), nowMs);
    return text;
  }

  /** The device goes away. */
  close(): void {
    for (const region of this.#regions) region.close();
    this.#regions = [];
    this.#tracked.clear();
  }
}

function smaller(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}
