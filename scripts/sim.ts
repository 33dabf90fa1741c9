/**
 * `npm run sim -- [--seed N] [--minutes 1] [--runs R] [--steps 3,7,9] [--statistics]`: random stacks, requests, faults and crashes against a
 * model, until one fails or time is over. `--steps`: of the history of the seed, these steps only, as a report names them. `--statistics`: how often
 * what happened, to see what is rare.
 */

import { parseArgs } from 'node:util';
import { randomSeed } from '../src/base/prng.ts';
import { runMany, runSome } from '../src/testing/simulation/runs.ts';

const MINUTE_MS = 60_000;
const PROGRESS_MS = 10_000;
const SHRINK_MS = 20_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string' },
    runs: { type: 'string' },
    steps: { type: 'string' },
    statistics: { type: 'boolean' },
  },
});
const seed = values.seed === undefined ? randomSeed() : Number(values.seed);
const nowMs = () => performance.now();

async function some(steps: string): Promise<string | null> {
  const { failure } = await runSome(seed, steps.split(',').map(Number));
  return failure && `Seed ${seed}: ${failure.message}`;
}

async function many(): Promise<string | null> {
  // So many runs take as long as they take.
  const minutes = values.minutes ?? (values.runs === undefined ? '1' : 'Infinity');
  const startMs = nowMs();
  let count = 0;
  let toldMs = startMs;
  const result = await runMany({
    seed,
    budgetMs: Number(minutes) * MINUTE_MS,
    ...(values.runs !== undefined && { count: Number(values.runs) }),
    shrinkMs: SHRINK_MS,
    nowMs,
    onHistory: () => {
      count += 1;
      if (nowMs() - toldMs < PROGRESS_MS) return;
      toldMs = nowMs();
      console.log(`${count} histories, ${Math.round((toldMs - startMs) / 1000)} s`);
    },
  });
  const { historyCount, requestCount, crashCount, failure } = result;
  const perSecond = Math.round(historyCount / ((nowMs() - startMs) / 1000));
  console.log(
    `${historyCount} histories from seed ${seed}: ${requestCount} requests, ${crashCount} crashes, ${perSecond} histories a second`,
  );
  if (values.statistics) printCounts(result.counts);
  return failure;
}

function printCounts(counts: ReadonlyMap<string, number>): void {
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [what, times] of sorted) console.log(`${String(times).padStart(8)} ${what}`);
}

console.log(`--seed ${seed}`);
// What a bug throws where nobody awaits it ends the run too, behind the seed.
process.on('unhandledRejection', (error) => {
  console.error(error);
  process.exit(1);
});
const failure = await (values.steps === undefined ? many() : some(values.steps));
if (failure === null) console.log('No history failed');
else {
  console.error(failure);
  process.exitCode = 1;
}
