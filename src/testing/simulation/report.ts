/** What is said of a history that failed: seed, failure, the steps that are needed for it, and how to see it again. */

import type { HistoryResult } from './history.ts';
import type { Step } from './steps.ts';

/** `original`: as it was drawn; `smallest`: what is left of it. */
export function describeFailure(original: HistoryResult, smallest: HistoryResult): string {
  const { seed, steps } = original;
  const kept = smallest.steps.map((step) => steps.indexOf(step) + 1);
  const lines = smallest.steps.map(describeStep(kept));
  return [
    `Seed ${seed}: ${smallest.failure!.message}`,
    `${kept.length} of ${steps.length} steps are enough:`,
    ...lines,
    `Again: npm run sim -- --seed ${seed} --runs 1${kept.length < steps.length ? ` --steps ${kept.join(',')}` : ''}`,
  ].join('\n');
}

function describeStep(numbers: readonly number[]) {
  return ({ text, waitMs }: Step, index: number) => {
    const wait = waitMs > 0 ? `after ${waitMs} ms ` : '';
    return `  ${numbers[index]}. ${wait}${text}`;
  };
}
