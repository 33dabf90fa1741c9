/** The same ioctls as in test/kernel/ioctl.test.ts, against what a real kernel answered when `record-ioctl.ts` last asked it. */

import { expect, test } from 'vitest';
import { ioctlCases } from '../kernel/ioctl-cases.ts';
import { runIoctlsHere } from '../kernel/ioctl-twin.ts';
import { readAnswers, recordAnswer } from './ioctl-answers.ts';

const results = await runIoctlsHere(ioctlCases);
const answers = readAnswers();

test('there is an answer to each', () => {
  expect(answers.map(({ what }) => what)).toEqual(ioctlCases.map(({ what }) => what));
});

test.each(ioctlCases.map((each, index) => [each.what, each, index] as const))(
  '%s',
  (_, each, index) => {
    expect(recordAnswer(each, results[index]!)).toEqual(answers[index]);
  },
);
