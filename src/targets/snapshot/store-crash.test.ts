/** The power fails at every write and flush of a store's life; what is found afterwards is a beginning of what was committed, with all that was acknowledged. */

import { expect, test } from 'vitest';
import { createPrng, type Prng } from '../../base/prng.ts';
import { Op } from '../../core/bio.ts';
import { testSeed } from '../../testing/seed.ts';
import { type Pair, StoreRig, type TestException } from '../../testing/store-rig.ts';

const CASES = [
  { chunkSectors: 1, exceptionCount: 75, sizeSectors: 300 },
  { chunkSectors: 2, exceptionCount: 140, sizeSectors: 800 },
  // An area of eight sectors, that is written torn.
  { chunkSectors: 8, exceptionCount: 300, sizeSectors: 4096 },
] as const;

/** Power comes back, and whatever the store has is what it must have. */
async function reopen(
  rig: StoreRig,
  prepared: readonly TestException[],
  before: Pair[],
  what: string,
) {
  rig.disk.crash();
  rig.disk.powerOn();
  await rig.clock.runUntilIdle();
  const acknowledged = prepared.filter(({ errno }) => errno === 0).length;
  expect(await rig.open(), what).toBe('valid');
  const wanted = [...before, ...prepared.map((e): Pair => [e.oldChunk, e.newChunk])];
  expect(rig.loaded, `${what}: a beginning`).toEqual(wanted.slice(0, rig.loaded.length));
  expect(rig.loaded.length, what).toBeGreaterThanOrEqual(before.length + acknowledged);
  const lost = rig.loaded.filter((pair) => !rig.hasDataOf(pair));
  expect(lost, `${what}: exceptions without their data`).toEqual([]);
}

/** Up to `count` more exceptions, some at a time, until no more end. */
async function addSome(rig: StoreRig, prng: Prng, from: number, count: number) {
  const prepared: TestException[] = [];
  while (prepared.length < count) {
    const batch = prng.integer(1, Math.min(24, count - prepared.length));
    for (let i = 0; i < batch; i += 1) {
      const exception = rig.prepare(from + prepared.length);
      if (!exception) return prepared;
      prepared.push(exception);
      void rig.copy(exception);
    }
    await rig.clock.runUntilIdle();
    if (prepared.at(-1)!.errno !== 0) return prepared;
  }
  return prepared;
}

/** The nth write or flush from now on is under way when the power fails. */
function stallAt(rig: StoreRig, op: Op, nth: number): () => void {
  return rig.disk.addFault({ op, nth, effect: { kind: 'stall' } });
}

test.each(CASES)('commits, with chunks of $chunkSectors sectors', async (options) => {
  const seed = testSeed();
  const prng = createPrng(seed);
  for (const op of [Op.write, Op.writeZeroes, Op.flush]) {
    // Every place in a short life, and steps through a long one.
    for (let nth = 1; nth < options.exceptionCount; nth += nth < 16 ? 1 : prng.integer(4, 16)) {
      const what = `seed ${seed}, op ${op}, number ${nth}`;
      const rig = new StoreRig({ ...options, prng, hasLatency: true });
      await rig.open();
      const release = stallAt(rig, op, nth);
      const prepared = await addSome(rig, prng, 0, options.exceptionCount);
      release();
      await reopen(rig, prepared, [], what);
      // The life after: what the crash left of torn writes must not come up again.
      const before = rig.loaded;
      const releaseAgain = stallAt(rig, Op.write, prng.integer(1, 30));
      const more = await addSome(rig, prng, 1000, 40);
      releaseAgain();
      await reopen(rig, more, before, `${what}, second life`);
      if (rig.disk.counts.flush < nth && op === Op.flush) break;
    }
  }
});

test.each([1, 2, 3, 4])('a new store: crash %i', async (nth) => {
  for (const op of [Op.write, Op.writeZeroes, Op.flush]) {
    const rig = new StoreRig({ sizeSectors: 64, prng: createPrng(nth), hasLatency: true });
    const release = stallAt(rig, op, nth);
    void rig.open().catch(() => undefined);
    await rig.clock.runUntilIdle();
    release();
    await reopen(rig, [], [], `op ${op}, number ${nth}`);
  }
});

/** Takes off all there is, and counts: what was begun, and what was acknowledged. */
async function mergeAll(rig: StoreRig, merged: { begun: number; done: number }): Promise<void> {
  const { merging } = rig.store;
  for (let run = await merging!.prepareMerge(); run !== null; run = await merging!.prepareMerge()) {
    merged.begun += run.chunkCount;
    await merging!.commitMerge(run.chunkCount);
    merged.done += run.chunkCount;
  }
}

test.each(CASES)('a merge, with chunks of $chunkSectors sectors', async (options) => {
  const seed = testSeed();
  const prng = createPrng(seed);
  for (const op of [Op.write, Op.flush]) {
    for (let nth = 1; nth < 60; nth += prng.integer(1, 4)) {
      const what = `seed ${seed}, op ${op}, number ${nth}`;
      const rig = new StoreRig({ ...options, prng });
      await rig.open();
      // Runs of a few chunks each.
      const filled: TestException[] = [];
      while (filled.length < options.exceptionCount) {
        const from = filled.length * 10;
        const more = await addSome(rig, prng, from, prng.integer(1, 30));
        filled.push(...more);
      }
      await rig.open();
      const whole = rig.loaded;
      expect(whole.length).toBe(filled.length);
      const release = stallAt(rig, op, nth);
      const merged = { begun: 0, done: 0 };
      void mergeAll(rig, merged).catch(() => undefined);
      await rig.clock.runUntilIdle();
      release();
      rig.disk.crash();
      rig.disk.powerOn();
      await rig.clock.runUntilIdle();
      expect(await rig.open()).toBe('valid');
      expect(rig.loaded, what).toEqual(whole.slice(0, rig.loaded.length));
      expect(rig.loaded.length, what).toBeLessThanOrEqual(whole.length - merged.done);
      expect(rig.loaded.length, what).toBeGreaterThanOrEqual(whole.length - merged.begun);
      const rest = { begun: 0, done: 0 };
      await mergeAll(rig, rest);
      expect(rest.done).toBe(rig.loaded.length);
      await rig.open();
      expect(rig.loaded).toEqual([]);
    }
  }
});
