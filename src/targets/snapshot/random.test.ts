/** Random requests to an origin and its snapshots, many at a time and answered in any order, with tables reloaded, snapshots taken, dropped and merged among them. */

import { expect, test } from 'vitest';
import type { Prng } from '../../base/prng.ts';
import { Op } from '../../core/bio.ts';
import { mixedLatency, uniformLatency } from '../../devices/simulated-faults.ts';
import { withSeed } from '../../testing/seed.ts';
import { numberedSectors, numbersOf, SnapshotRig } from '../../testing/snapshot-rig.ts';
import { readSectors, submitBio } from '../../testing/submit.ts';

const SIZE = 256;
const COWS = ['C', 'D', 'E'];
const BATCHES = 60;

interface Request {
  name: string;
  isWrite: boolean;
  sector: number;
  sectorCount: number;
}

class History {
  readonly rig: SnapshotRig;
  /** What each device shows. */
  readonly shown = new Map<string, number[]>();
  readonly #tables = new Map<string, string>();
  readonly #prng: Prng;
  #nextNumber = 10_000;

  constructor(prng: Prng) {
    this.#prng = prng;
    this.rig = new SnapshotRig({
      sizes: { O: SIZE, C: 1024, D: 1024, E: 1024 },
      seed: prng.uint32(),
      latency: mixedLatency(uniformLatency(0, 1), uniformLatency(5, 30), 0.1),
    });
  }

  async start(): Promise<void> {
    this.rig.fill('O', 1000);
    await this.rig.start('real', `0 ${SIZE} linear O 0`);
    await this.rig.start('disk', `0 ${SIZE} snapshot-origin mapper/real`);
    this.shown.set('disk', numbersOf(this.rig.disk('O').peek(0, SIZE)));
  }

  /** Of the device as it is now, on a COW device that nobody has. */
  async take(cow: string): Promise<void> {
    const prng = this.#prng;
    this.rig.disk(cow).poke(0, new Uint8Array(512 * 64));
    const chunkSectors = prng.pick([1, 2, 4, 8, 16, 32]);
    const store = prng.pick(['P', 'PO', 'N']);
    const table = `0 ${SIZE} snapshot mapper/real ${cow} ${store} ${chunkSectors}`;
    await this.rig.start(`of${cow}`, table);
    this.#tables.set(`of${cow}`, table);
    this.shown.set(`of${cow}`, [...this.shown.get('disk')!]);
  }

  async drop(cow: string): Promise<void> {
    const name = `of${cow}`;
    await this.rig.run(this.rig.mapper.remove(this.rig.mapper.get(name)));
    this.shown.delete(name);
  }

  async reload(name: string): Promise<void> {
    await this.rig.load(name, this.#tables.get(name)!);
    await this.rig.run(this.rig.mapper.get(name).resume());
  }

  /** Reads of a device do not overlap writes to it; all else may. */
  randomBatch(): Request[] {
    const requests: Request[] = [];
    for (let count = this.#prng.integer(1, 12); count > 0; count -= 1) {
      const request = this.#randomRequest();
      if (!requests.some((other) => conflicts(request, other))) requests.push(request);
    }
    return requests;
  }

  #randomRequest(): Request {
    const prng = this.#prng;
    const sectorCount = prng.pick([1, 3, 8, 8, 16, 40]);
    const sector = prng.integer(0, SIZE - sectorCount);
    const aligned = prng.chance(0.5) ? sector - (sector % 8) : sector;
    const name = prng.pick([...this.shown.keys(), 'disk']);
    return { name, isWrite: prng.chance(0.6), sector: aligned, sectorCount };
  }

  async perform(request: Request): Promise<void> {
    const { name, isWrite, sector, sectorCount } = request;
    const device = this.rig.mapper.get(name);
    const shown = this.shown.get(name)!;
    if (!isWrite) {
      const found = numbersOf(await readSectors(device, sector, sectorCount));
      const wanted = shown.slice(sector, sector + sectorCount);
      const what = `read of ${name} ${sector}+${sectorCount}`;
      if (found.join() !== wanted.join()) throw new Error(`${what}: ${found}, wanted ${wanted}`);
      return;
    }
    const first = this.#nextNumber;
    this.#nextNumber += sectorCount;
    const data = numberedSectors(first, sectorCount);
    const errno = await submitBio(device, { op: Op.write, sector, sectorCount, data });
    if (errno !== 0) throw new Error(`write to ${name} ${sector}+${sectorCount}: errno ${errno}`);
    shown.splice(sector, sectorCount, ...numbersOf(data));
  }

  async merge(cow: string): Promise<void> {
    const name = `of${cow}`;
    const table = this.#tables.get(name)!;
    if (table.includes(' N ')) return;
    await this.rig.load('disk', table.replace('snapshot', 'snapshot-merge'));
    await this.rig.run(this.rig.mapper.get(name).suspend());
    await this.rig.run(this.rig.mapper.get('disk').resume());
    await this.rig.run(this.rig.mapper.remove(this.rig.mapper.get(name)));
    this.shown.set('disk', this.shown.get(name)!);
    this.shown.delete(name);
    for (let round = 0; round < 5; round += 1) await this.batch();
    const isDone = () => /^(\d+)\/\d+ \1$/.test(this.rig.status('disk'));
    for (let round = 0; !isDone(); round += 1) {
      if (round > 5000) throw new Error(`The merge never ends: ${this.rig.status('disk')}`);
      await this.rig.clock.advance(5);
    }
    await this.rig.start('disk', `0 ${SIZE} snapshot-origin mapper/real`);
  }

  async batch(): Promise<void> {
    const requests = this.randomBatch();
    const running = Promise.all(requests.map((request) => this.perform(request)));
    running.catch(() => undefined);
    const names = [...this.shown.keys()].filter((name) => name !== 'disk');
    if (names.length > 0 && this.#prng.chance(0.2)) await this.reload(this.#prng.pick(names));
    await this.rig.run(running);
  }

  async change(): Promise<void> {
    const cow = this.#prng.pick(COWS);
    if (!this.shown.has(`of${cow}`)) await this.take(cow);
    else if (this.#prng.chance(0.5)) await this.drop(cow);
    else await this.merge(cow);
  }

  async checkAll(): Promise<void> {
    for (const [name, wanted] of this.shown) {
      const device = this.rig.mapper.get(name);
      const found = numbersOf(await this.rig.run(readSectors(device, 0, SIZE)));
      expect(found, name).toEqual(wanted);
    }
  }
}

function conflicts(a: Request, b: Request): boolean {
  if (a.name !== b.name || !(a.isWrite || b.isWrite)) return false;
  return a.sector < b.sector + b.sectorCount && b.sector < a.sector + a.sectorCount;
}

test('every device shows what was written to it, and nothing else', () =>
  withSeed(async (prng) => {
    const history = new History(prng);
    await history.start();
    await history.take('C');
    for (let count = 0; count < BATCHES; count += 1) {
      if (prng.chance(0.1)) await history.change();
      await history.batch();
    }
    await history.checkAll();
    await history.rig.run(history.rig.mapper.removeAll());
    for (const disk of history.rig.disks.values()) expect(disk.inFlightCount).toBe(0);
    expect(history.rig.mapper.list()).toEqual([]);
  }));
