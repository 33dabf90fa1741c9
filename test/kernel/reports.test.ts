import { beforeAll, describe, expect, test } from 'vitest';
import { requireKernel } from './kernel.ts';
import { cases, emptyCases, setupCommands } from './report-cases.ts';
import { type Answer, askKernel, askOurs } from './report-twin.ts';

const all = [...emptyCases.map((each) => `without devices: ${each}`), ...cases];

test('the list is long enough', () => {
  expect(all.length).toBeGreaterThanOrEqual(100);
});

requireKernel()('lists and reports of a real dmsetup and ours', () => {
  let kernel: Answer[];
  let ours: Answer[];
  beforeAll(async () => {
    const script = { before: emptyCases, setup: setupCommands, after: cases };
    [kernel, ours] = await Promise.all([askKernel(script), askOurs(script)]);
    expect(kernel).toHaveLength(all.length);
  });

  describe.each(all.map((command, index) => [command, index] as const))('%s', (_, index) => {
    test('says the same', () => {
      expect(ours[index]).toEqual(kernel[index]);
    });
  });
});
