/** What a real kernel answered to the steps of test/kernel/snapshot-cases.ts, kept so that ours can be checked without one. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { SnapshotCase } from '../kernel/snapshot-cases.ts';

const file = fileURLToPath(new URL('./snapshot-answers.json', import.meta.url));

interface Kept {
  /** The steps that were asked: an answer to others is none. */
  asked: readonly string[];
  answers: string[];
}

/** The answers to `steps` of the case. */
export function readSnapshotAnswers({ name, steps }: SnapshotCase): string[] {
  const kept = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Kept>;
  const found = kept[name];
  if (found !== undefined && JSON.stringify(found.asked) === JSON.stringify(steps)) {
    return found.answers;
  }
  throw new Error(
    `No kernel's answer is kept for "${name}"; npx tsx test/golden/record-snapshots.ts asks`,
  );
}

export function writeSnapshotAnswers(
  cases: readonly SnapshotCase[],
  answers: readonly (readonly string[])[],
): void {
  const entries = cases.map(({ name, steps }, index) => {
    return [name, { asked: steps, answers: answers[index] }];
  });
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(entries), null, 1)}\n`);
}
