/** Snapshots as the kernel has them: the same status and contents at each step of the same writes and merges, as kept in test/golden. */

import { describe, expect, test } from 'vitest';
import { readSnapshotAnswers } from '../golden/snapshot-answers.ts';
import { type SnapshotCase, snapshotCases } from './snapshot-cases.ts';
import { doSnapshots } from './snapshot-io.ts';

/** How far something was that was cut off is chance; what is read is not. */
function comparable({ isRacing }: SnapshotCase, answers: readonly string[]): string[] {
  return answers.map((answer) => (isRacing ? answer.split(' ')[0]! : answer));
}

describe('snapshots are as in the kernel', () => {
  test.each(snapshotCases.map((each) => [each.name, each] as const))('%s', async (_, each) => {
    const { answers } = await doSnapshots(each, each.steps);
    expect(comparable(each, answers)).toEqual(comparable(each, readSnapshotAnswers(each)));
  });
});
