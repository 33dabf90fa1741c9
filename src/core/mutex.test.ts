import { expect, test } from 'vitest';
import { Mutex } from './mutex.ts';

test('actions run one at a time, in the order asked for, whatever becomes of them', async () => {
  const mutex = new Mutex();
  const log: string[] = [];
  const action = (name: string, fails = false) =>
    mutex.run(async () => {
      log.push(`${name} begins`);
      await Promise.resolve();
      log.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const results = await Promise.allSettled([action('a'), action('b', true), action('c')]);
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});
