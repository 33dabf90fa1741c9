/**
 * The power fails at any request of a copy on write or of a merge, and of what was not flushed any part in any order is lost: what was flushed is there, a
 * snapshot never shows what was written to its origin, and a merge goes on.
 */

import { expect, test } from 'vitest';
import type { Prng } from '../../base/prng.ts';
import { Op } from '../../core/bio.ts';
import { uniformLatency } from '../../devices/simulated-faults.ts';
import { withSeed } from '../../testing/seed.ts';
import { numberedSectors, numbersOf, SnapshotRig } from '../../testing/snapshot-rig.ts';
import { readSectors, submitBio } from '../../testing/submit.ts';

const SIZE = 128;
const COW = 512;

/** What each sector of a device may be found to be after a crash. */
class Volatile {
  readonly possible: Set<number>[];
  /** Submitted after the last flush was, for each sector. */
  #last: number[];

  constructor(numbers: readonly number[]) {
    this.possible = numbers.map((number) => new Set([number]));
    this.#last = [...numbers];
  }

  write(sector: number, numbers: readonly number[]): void {
    for (const [index, number] of numbers.entries()) this.possible[sector + index]!.add(number);
  }

  ended(sector: number, numbers: readonly number[]): void {
    this.#last.splice(sector, numbers.length, ...numbers);
  }

  /** All that had ended is durable. */
  flushed(): void {
    for (const [sector, number] of this.#last.entries()) this.possible[sector] = new Set([number]);
  }

  check(what: string, found: readonly number[]): void {
    const wrong = found.findIndex((number, sector) => !this.possible[sector]!.has(number));
    if (wrong < 0) return;
    const wanted = [...this.possible[wrong]!].join(' or ');
    throw new Error(`${what}: sector ${wrong} is ${found[wrong]}, expected ${wanted}`);
  }
}

class Run {
  readonly rig: SnapshotRig;
  isOver = false;
  /** Requests to the disks before the power fails. */
  #left = Number.POSITIVE_INFINITY;
  #nextNumber = 100_000;

  constructor(seed: number) {
    const usual = uniformLatency(0.1, 2);
    this.rig = new SnapshotRig({
      sizes: { O: SIZE, C: COW, D: COW },
      seed,
      latency: (prng, bio) => {
        this.#left -= 1;
        if (this.#left === 0) this.rig.clock.after(0, () => this.crash());
        return usual(prng, bio);
      },
    });
    this.rig.fill('O', 1000);
  }

  crashAfter(requestCount: number): void {
    this.#left = requestCount;
  }

  crash(): void {
    this.isOver = true;
    this.#left = Number.POSITIVE_INFINITY;
    this.rig.crash();
  }

  /** Until the power fails. */
  async start(tables: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, table] of Object.entries(tables)) {
      if (this.isOver) return;
      await this.rig.start(name, table).catch((error: unknown) => {
        if (!this.isOver) throw error;
      });
    }
  }

  async read(name: string): Promise<number[]> {
    return numbersOf(await this.rig.run(readSectors(this.rig.mapper.get(name), 0, SIZE)));
  }

  /** Writes anywhere, a flush now and then, until the power fails or `limit` were done. */
  async use(name: string, model: Volatile, limit: number): Promise<void> {
    const { prng } = this.rig;
    const device = this.isOver ? undefined : this.rig.mapper.find(name);
    for (let done = 0; device && done < limit && !this.isOver; done += 1) {
      if (prng.chance(0.25)) {
        const errno = await submitBio(device, { op: Op.flush });
        if (errno === 0) model.flushed();
        continue;
      }
      const [sector, sectorCount] = randomPlace(prng);
      const numbers = Array.from({ length: sectorCount }, (_, index) => this.#nextNumber + index);
      const data = numberedSectors(this.#nextNumber, sectorCount);
      this.#nextNumber += 100;
      model.write(sector, numbers);
      const errno = await submitBio(device, { op: Op.write, sector, sectorCount, data });
      if (errno === 0) model.ended(sector, numbers);
    }
  }
}

/** Whole chunks, parts, and more than one. */
function randomPlace(prng: Prng): [sector: number, sectorCount: number] {
  if (prng.chance(0.4)) return [prng.integer(0, SIZE / 8 - 2) * 8, prng.pick([8, 8, 16])];
  const sectorCount = prng.integer(1, 12);
  return [prng.integer(0, SIZE - sectorCount), sectorCount];
}

const ORIGINAL = Array.from({ length: SIZE }, (_, sector) => 1000 + sector);

function tablesFor(chunkSectors: number) {
  return {
    real: `0 ${SIZE} linear O 0`,
    disk: `0 ${SIZE} snapshot-origin mapper/real`,
    before: `0 ${SIZE} snapshot mapper/real C P ${chunkSectors}`,
    other: `0 ${SIZE} snapshot mapper/real D P 8`,
  };
}

/** false: everything was done before the power failed. */
async function crashCopies(seed: number, crashAt: number): Promise<boolean> {
  const run = new Run(seed);
  const tables = tablesFor([1, 4, 8, 16][seed % 4]!);
  const [disk, before, other] = [1, 2, 3].map(() => new Volatile(ORIGINAL)) as Triple<Volatile>;
  run.crashAfter(crashAt);
  await run.start(tables);
  await run.rig.run(Promise.all([run.use('disk', disk, 15), run.use('before', before, 10)]));
  const hasCrashed = run.isOver;
  if (!hasCrashed) run.crash();
  run.isOver = false;
  await run.start(tables);
  disk.check('origin', await run.read('disk'));
  before.check('snapshot', await run.read('before'));
  other.check('other snapshot', await run.read('other'));
  return hasCrashed;
}

type Triple<T> = [T, T, T];

async function crashMerge(seed: number, crashAt: number): Promise<boolean> {
  const run = new Run(seed);
  const { before, disk, ...others } = tablesFor([1, 4, 8, 16][seed % 4]!);
  await run.start({ ...others, disk, before });
  const none = new Volatile(ORIGINAL);
  await run.rig.run(Promise.all([run.use('disk', none, 15), run.use('before', none, 15)]));
  const wanted = await run.read('before');
  const other = await run.read('other');
  await run.rig.run(run.rig.mapper.remove(run.rig.mapper.get('before')));
  for (const name of ['O', 'C']) {
    await run.rig.run(submitBio(run.rig.disk(name), { op: Op.flush }));
  }
  const merge = { disk: before.replace('snapshot', 'snapshot-merge') };
  const model = new Volatile(wanted);
  run.crashAfter(crashAt);
  await run.start(merge);
  await run.rig.run(run.use('disk', model, 10));
  for (let ms = 0; ms < 500 && !run.isOver; ms += 1) await run.rig.clock.advance(1);
  const hasCrashed = run.isOver;
  if (!hasCrashed) run.crash();
  run.isOver = false;
  await run.start({ ...others, ...merge });
  const found = await run.read('disk');
  model.check('merging origin', found);
  await run.rig.clock.advance(1000);
  expect(run.rig.status('disk')).toMatch(/^(\d+)\/512 \1$/);
  expect(await run.read('disk')).toEqual(found);
  expect(numbersOf(run.rig.disk('O').peek(0, SIZE))).toEqual(found);
  expect(await run.read('other')).toEqual(other);
  return hasCrashed;
}

const kinds = [
  ['copies', crashCopies, 3],
  ['a merge', crashMerge, 3],
] as const;

for (const [name, crash, step] of kinds) {
  test(`the power fails during ${name}`, () =>
    withSeed(async (prng) => {
      const seed = prng.integer(0, 2 ** 31);
      // Another start each run, so that in time every request is met with every seed's order.
      let crashAt = prng.integer(1, step);
      while (await crash(seed + crashAt, crashAt)) crashAt += step;
    }));
}
