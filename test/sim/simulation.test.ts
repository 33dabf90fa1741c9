/**
 * Random stacks of every target over simulated disks, under load, with faults and crashes, against a model: docs/simulation.md.
 *
 * DEVMAPPER_SIM_SECONDS=60 runs longer than the default; DEVMAPPER_SEED=N begins with the seed that failed.
 */

import { expect, test } from 'vitest';
import { targets } from '../../src/targets/index.ts';
import { testSeed } from '../../src/testing/seed.ts';
import { descriptions } from '../../src/testing/simulation/descriptions/index.ts';
import { runSeed } from '../../src/testing/simulation/history.ts';
import { mutants } from '../../src/testing/simulation/mutants.ts';
import { runMany, runSome } from '../../src/testing/simulation/runs.ts';

const SECONDS = Number(process.env['DEVMAPPER_SIM_SECONDS'] ?? 8);
/** A failing history is made smaller for so long. */
const SHRINK_MS = 5000;
/** Histories within which a bug must be found: some ten seconds' worth. The usual number is a thirtieth of it. */
const FIND_COUNT = 3000;
/** Histories that ran clean, so that a change which breaks one is the change's fault. */
const KNOWN_SEED = 100;
const KNOWN_COUNT = 1000;
const nowMs = () => performance.now();

test('every target is described', () => {
  const described = descriptions.map(({ name }) => name);
  expect(targets.filter(({ name }) => !described.includes(name))).toEqual([]);
});

// The first history waits until vitest has compiled what targets load.
test('the same seed gives the same history', { timeout: 90_000 }, async () => {
  const seed = testSeed();
  for (let index = 0; index < 5; index += 1) {
    const first = await runSeed(seed + index);
    const second = await runSeed(seed + index);
    const texts = ({ steps }: typeof first) => steps.map(({ text }) => text);
    expect(texts(second), `seed ${seed + index}`).toEqual(texts(first));
    expect(second.traceHash, `seed ${seed + index}`).toBe(first.traceHash);
    const all = first.steps.map((_, step) => step + 1);
    expect((await runSome(seed + index, all)).traceHash).toBe(first.traceHash);
  }
});

test.each([
  { name: 'known histories', seed: KNOWN_SEED, count: KNOWN_COUNT },
  { name: 'histories nobody chose', seed: testSeed(), count: Number.POSITIVE_INFINITY },
])(
  '$name do what the model says',
  {
    timeout: (SECONDS + 60) * 1000,
  },
  async ({ seed, count }) => {
    const options = { seed, count, budgetMs: SECONDS * 1000, shrinkMs: SHRINK_MS, nowMs };
    const { failure, historyCount } = await runMany(options);
    expect(failure).toBeNull();
    expect(historyCount).toBeGreaterThan(SECONDS);
  },
);

test.each(mutants)('finds $name', { timeout: 120_000 }, async ({ type }) => {
  const { failure } = await runMany({
    types: [...targets, type], // the later one of a name counts
    seed: testSeed(),
    budgetMs: Number.POSITIVE_INFINITY,
    count: FIND_COUNT,
    shrinkMs: 0,
    nowMs,
  });
  expect(failure).toMatch(/^Seed \d+: /);
});
