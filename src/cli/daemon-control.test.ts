import { expect, test } from 'vitest';
import { describeService } from './daemon-control.ts';

test.each([
  [{ folder: '/s/sys' }, 'in /s/sys'],
  [
    { folder: '/s/mapper', openFileCount: 1, underWayCount: 0, threadCount: 2 },
    'in /s/mapper (1 open file, 0 under way, 2 threads)',
  ],
  [{}, 'on'],
  [null, 'on'],
])('a service in words: %j', (value, words) => {
  expect(describeService(value)).toBe(words);
});
