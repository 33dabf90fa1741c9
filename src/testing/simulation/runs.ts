/** Many histories, seed after seed, until one fails or time is over. */

import { type HistoryOptions, type HistoryResult, runSeed, runSteps } from './history.ts';
import { describeFailure } from './report.ts';
import { shrink } from './shrink.ts';

export interface RunsOptions extends HistoryOptions {
  /** Of the first; each further one has the next. */
  seed: number;
  /** No history begins after so long, nor after so many. */
  budgetMs: number;
  count?: number;
  /** For making a failing history smaller. */
  shrinkMs: number;
  nowMs: () => number;
  onHistory?: (result: HistoryResult) => void;
}

export interface RunsResult {
  historyCount: number;
  requestCount: number;
  crashCount: number;
  /** How often what happened. */
  counts: Map<string, number>;
  /** The report of the history that failed; null: none did. */
  failure: string | null;
}

export async function runMany(options: RunsOptions): Promise<RunsResult> {
  const { seed, budgetMs, count = Number.POSITIVE_INFINITY, shrinkMs, nowMs } = options;
  const endMs = nowMs() + budgetMs;
  const counts = new Map<string, number>();
  const result: RunsResult = {
    historyCount: 0,
    requestCount: 0,
    crashCount: 0,
    counts,
    failure: null,
  };
  while (result.historyCount < count && nowMs() < endMs) {
    const history = await runSeed((seed + result.historyCount) >>> 0, options);
    result.historyCount += 1;
    result.requestCount += history.requestCount;
    result.crashCount += history.crashCount;
    for (const [what, times] of history.counts) counts.set(what, (counts.get(what) ?? 0) + times);
    options.onHistory?.(history);
    if (history.failure) {
      const smallest = await shrink(history, { ...options, budgetMs: shrinkMs });
      result.failure = describeFailure(history, smallest);
      break;
    }
  }
  return result;
}

/** Of the history of the seed, only the steps with these numbers, counted from 1. */
export async function runSome(
  seed: number,
  numbers: readonly number[],
  options: HistoryOptions = {},
): Promise<HistoryResult> {
  const { steps } = await runSeed(seed, options);
  const some = steps.filter((_, index) => numbers.includes(index + 1));
  return await runSteps(seed, some, options);
}
