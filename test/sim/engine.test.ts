/**
 * The whole engine against byte arrays: random stacks of the six targets over random disks that answer late, random requests
 * from several sides, and underneath suspend, resume, reload to an equal or another table, and messages.
 *
 * DEVMAPPER_SIM_RUNS=1000 runs longer than the default; DEVMAPPER_SEED=N repeats the run that failed.
 */

import { expect, test } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import type { Prng } from '../../src/base/prng.ts';
import { SimulatedClock } from '../../src/base/simulated-clock.ts';
import { Op } from '../../src/core/bio.ts';
import type { MappedDevice } from '../../src/core/mapped-device.ts';
import { Mapper } from '../../src/core/mapper.ts';
import type { Table } from '../../src/core/table.ts';
import { createTargetRegistry } from '../../src/core/target.ts';
import { targets } from '../../src/targets/index.ts';
import {
  checkBytes,
  Model,
  type ModelRequest,
  performChecked,
  randomRequest,
} from '../../src/testing/model.ts';
import {
  type Ground,
  type ModelRow,
  type ModelTable,
  randomMappings,
  randomRows,
  tableOf,
} from '../../src/testing/random-stack.ts';
import { testSeed, withSeed } from '../../src/testing/seed.ts';
import { submitBio } from '../../src/testing/submit.ts';
import { type TestDisk, TestDisks } from '../../src/testing/test-disk.ts';

const RUN_COUNT = Number(process.env['DEVMAPPER_SIM_RUNS'] ?? 12);
const WORKER_COUNT = 5;
const REQUEST_COUNT = 60;
const CHANGE_COUNT = 25;
/** Of the simulated clock; far more than the slowest run takes. */
const LIMIT_MS = 100_000;

interface Layer {
  device: MappedDevice;
  rows: ModelRow[];
}

class Simulation {
  readonly #prng: Prng;
  readonly #clock = new SimulatedClock();
  readonly #disks = new TestDisks();
  readonly #bytes = new Map<TestDisk, Uint8Array>();
  readonly #mapper: Mapper;
  readonly #grounds: Ground[] = [];
  readonly #layers: Layer[] = [];
  /** What the top may show instead: other rows over what nothing else uses. */
  #alternatives: ModelRow[][] = [];
  readonly #models = new Map<Table, Model>();
  readonly #tables = new Map<Table, ModelTable>();
  readonly #busy = new Set<ModelRequest>();
  readonly #counts = { reads: 0, writes: 0, discards: 0, flushes: 0 };

  constructor(prng: Prng) {
    this.#prng = prng;
    const registry = createTargetRegistry(targets);
    this.#mapper = new Mapper({ registry, opener: this.#disks, clock: this.#clock });
  }

  async run(): Promise<void> {
    this.#addDisks();
    await this.#addLayers();
    const state = { isDone: false };
    const work = Promise.all([
      this.#change(),
      ...Array.from({ length: WORKER_COUNT }, () => this.#work()),
    ]).finally(() => {
      state.isDone = true;
    });
    work.catch(() => undefined); // it is awaited below, after the clock has run
    while (!state.isDone && this.#clock.nowMs() < LIMIT_MS) await this.#clock.advance(1);
    if (!state.isDone) throw new Error(`${this.#busy.size} requests never ended`);
    await work;
    await this.#checkEnd();
  }

  get #top(): MappedDevice {
    return this.#layers.at(-1)!.device;
  }

  #addDisks(): void {
    const prng = this.#prng;
    for (let index = prng.integer(1, 4); index > 0; index -= 1) {
      const disk = this.#disks.add(`disk${index}`, { sizeSectors: prng.integer(50, 400) });
      const bytes = prng.fill(disk.bytes).slice();
      this.#bytes.set(disk, bytes);
      const delayMs = prng.pick([0, 1, 5]);
      disk.answer = (finish) => {
        if (delayMs === 0 || prng.chance(0.2)) finish();
        else this.#clock.after(prng.float() * delayMs, finish);
      };
      const places = Array.from({ length: disk.sizeSectors }, (_, sector) => ({ bytes, sector }));
      const { operand, sizeSectors } = disk;
      this.#grounds.push({ operand, sizeSectors, places, used: 0 });
    }
  }

  async #addLayers(): Promise<void> {
    const count = this.#prng.integer(1, 4);
    for (let index = 0; index < count; index += 1) {
      const name = `layer${index}`;
      const device = this.#mapper.create({ name });
      const rows = randomRows(this.#grounds, this.#prng);
      const layer = { device, rows };
      this.#layers.push(layer);
      await this.#load(layer);
      await device.resume();
      const { places } = this.#tables.get(device.live!)!;
      const operand = this.#prng.pick([`mapper/${name}`, device.operand]);
      this.#grounds.push({ operand, sizeSectors: places.length, places, used: 0 });
    }
    const below = this.#grounds.slice(0, -1); // not the top itself
    this.#alternatives = [this.#layers.at(-1)!.rows, randomRows(below, this.#prng)];
  }

  /** Puts a table with the layer's sectors in their places into its other slot. */
  async #load({ device, rows }: Layer): Promise<void> {
    const modelTable = tableOf(rows, this.#prng);
    const table = await this.#mapper.load(device, modelTable.rows);
    this.#tables.set(table, modelTable);
    this.#models.set(table, new Model(modelTable.places));
  }

  /** One of those who use the top device. */
  async #work(): Promise<void> {
    for (let count = 0; count < REQUEST_COUNT; ) {
      const request = randomRequest(this.#prng, this.#top);
      if (this.#overlaps(request)) {
        await sleep(this.#clock, 1);
        continue;
      }
      count += 1;
      this.#busy.add(request);
      this.#count(request);
      await performChecked(this.#top, request, () => this.#models.get(this.#top.live!)!);
      this.#busy.delete(request);
    }
  }

  #overlaps({ sector, sectorCount }: ModelRequest): boolean {
    return [...this.#busy].some(
      (other) => sector < other.sector + other.sectorCount && other.sector < sector + sectorCount,
    );
  }

  #count({ op }: ModelRequest): void {
    if (op === Op.read) this.#counts.reads += 1;
    else if (op === Op.flush) this.#counts.flushes += 1;
    else if (op === Op.discard) this.#counts.discards += 1;
    else if (op !== Op.blockStatus) this.#counts.writes += 1;
  }

  /** Whoever administers the stack. */
  async #change(): Promise<void> {
    const prng = this.#prng;
    for (let count = 0; count < CHANGE_COUNT; count += 1) {
      await sleep(this.#clock, prng.float() * 8);
      const layer = prng.pick(this.#layers);
      const { device } = layer;
      const isTop = device === this.#top;
      if (isTop && prng.chance(0.3)) layer.rows = prng.pick(this.#alternatives);
      if (prng.chance(0.7)) await this.#loadAfterMessages(layer);
      if (prng.chance(0.7)) await device.suspend({ noflush: prng.chance(0.5) });
      if (isTop && device.suspended && !device.inactive) await this.#message(device);
      await sleep(this.#clock, prng.float() * 3);
      await device.resume();
    }
  }

  /** A layer below must show the same after a reload, so it keeps a table whose switches were told nothing. */
  async #loadAfterMessages(layer: Layer): Promise<void> {
    await this.#load(layer);
    if (this.#prng.chance(0.1)) await layer.device.clear();
  }

  /** Moves regions of the switches, while nothing is under way. */
  async #message(device: MappedDevice): Promise<void> {
    const table = device.live!;
    const { switches } = this.#tables.get(table)!;
    const places = [...this.#models.get(table)!.places];
    for (const each of switches) {
      const mappings = randomMappings(each, places, this.#prng);
      await device.message(each.start, ['set_region_mappings', ...mappings]);
    }
    this.#models.set(table, new Model(places));
  }

  async #checkEnd(): Promise<void> {
    const top = this.#top;
    expect(this.#busy.size).toBe(0);
    expect(top.statistics()).toMatchObject({ ...this.#counts, inFlight: 0 });
    for (const [disk, bytes] of this.#bytes) {
      expect(disk.inFlightCount).toBe(0);
      checkBytes(disk.operand, disk.bytes, bytes);
    }
    const flush = submitBio(top, { op: Op.flush });
    await this.#clock.runUntilIdle();
    expect(await flush).toBe(0);
    await this.#mapper.removeAll();
    expect(this.#mapper.list()).toEqual([]);
    expect(this.#disks.openCount).toBe(0);
  }
}

test(`${RUN_COUNT} random stacks do what byte arrays do`, {
  timeout: 20_000 + RUN_COUNT * 2000,
}, async () => {
  const first = testSeed();
  const count = process.env['DEVMAPPER_SEED'] === undefined ? RUN_COUNT : 1;
  for (let index = 0; index < count; index += 1) {
    const seed = (first + index) >>> 0;
    await withSeed((prng) => new Simulation(prng).run(), seed);
  }
});
