/** Leaves out of a history that fails whatever it fails without: halves first, then ever smaller parts, then single steps. */

import { type HistoryOptions, type HistoryResult, runSteps } from './history.ts';
import type { Step } from './steps.ts';

export interface ShrinkOptions extends HistoryOptions {
  /** Of real time, by `nowMs`. */
  budgetMs: number;
  nowMs: () => number;
}

/** The smallest history found in time that fails in the same way; the given one if it does not fail again. */
export async function shrink(
  failed: HistoryResult,
  options: ShrinkOptions,
): Promise<HistoryResult> {
  const endMs = options.nowMs() + options.budgetMs;
  const sign = signature(failed);
  let best = failed;
  for (let size = Math.ceil(best.steps.length / 2); size >= 1; ) {
    let isSmaller = false;
    // From the end: what comes after the failure goes first.
    for (let from = best.steps.length - size; from > -size; from -= size) {
      if (options.nowMs() >= endMs) return best;
      const result = await runSteps(failed.seed, without(best.steps, from, size), options);
      if (signature(result) !== sign) continue;
      best = result;
      isSmaller = true;
    }
    if (size > 1) size = Math.floor(size / 2);
    else if (!isSmaller) return best;
  }
  return best;
}

/** A step's time passes even without it. */
function without(steps: readonly Step[], from: number, size: number): Step[] {
  const first = Math.max(0, from);
  return [...steps.slice(0, first), ...steps.slice(Math.max(first, from + size))];
}

/** What makes two failures the same: not where it happened, nor what happened to be there. */
function signature({ failure }: HistoryResult): string {
  if (failure === null) return '';
  const { kind, message } = failure;
  const isWorded = kind === 'refusal' || kind === 'exception';
  return isWorded ? message.split('\n')[0]!.replace(/\d+/g, '') : kind;
}
