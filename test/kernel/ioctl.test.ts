/** The dm-ioctl interface byte for byte against a real kernel's, and whether the answers kept in test/golden are still its own. */

import { beforeAll, describe, expect, test } from 'vitest';
import { type RecordedAnswer, readAnswers, recordAnswer } from '../golden/ioctl-answers.ts';
import { ioctlCases } from './ioctl-cases.ts';
import { runIoctlsHere, runIoctlsInKernel } from './ioctl-twin.ts';
import { requireKernel } from './kernel.ts';

test('the list is long enough', () => {
  expect(ioctlCases.length).toBeGreaterThanOrEqual(200);
});

requireKernel()('ioctls in the real kernel and here', () => {
  let kernel: RecordedAnswer[];
  let here: RecordedAnswer[];
  beforeAll(async () => {
    const [there, own] = [await runIoctlsInKernel(ioctlCases), await runIoctlsHere(ioctlCases)];
    expect([there.length, own.length]).toEqual([ioctlCases.length, ioctlCases.length]);
    kernel = ioctlCases.map((each, index) => recordAnswer(each, there[index]!));
    here = ioctlCases.map((each, index) => recordAnswer(each, own[index]!));
  }, 600_000);

  test('the answers kept in test/golden are the kernel’s', () => {
    expect(readAnswers()).toEqual(kernel);
  });

  describe.each(ioctlCases.map((each, index) => [each.what, index] as const))('%s', (_, index) => {
    test('is the same', () => {
      expect(here[index]).toEqual(kernel[index]);
    });
  });
});
