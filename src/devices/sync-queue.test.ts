import { expect, test } from 'vitest';
import { Errno } from '../base/errors.ts';
import { SyncQueue } from './sync-queue.ts';

function createQueue() {
  const calls: ((error: Error | null) => void)[] = [];
  const queue = new SyncQueue(() => 3, { syncData: (_fd, done) => calls.push(done) });
  const ends: string[] = [];
  const flush = (name: string) => queue.sync((errno) => ends.push(`${name} ${errno}`));
  return { calls, ends, flush };
}

const diskError = Object.assign(new Error('EIO'), { code: 'EIO', errno: -Errno.EIO });

test('a flush is not answered by an fdatasync that was under way when it came', () => {
  const { calls, ends, flush } = createQueue();
  flush('a');
  flush('b');
  flush('c');
  expect(calls).toHaveLength(1);
  calls[0]!(null);
  expect(ends).toEqual(['a 0']);
  expect(calls).toHaveLength(2);
  flush('d');
  calls[1]!(null);
  expect(ends).toEqual(['a 0', 'b 0', 'c 0']);
  calls[2]!(null);
  expect(ends.at(-1)).toBe('d 0');
  expect(calls).toHaveLength(3);
});

test('after a failure every flush fails, though fdatasync says all is well', () => {
  const { calls, ends, flush } = createQueue();
  flush('a');
  flush('b');
  calls[0]!(diskError);
  calls[1]!(null);
  flush('c');
  calls[2]!(null);
  expect(ends).toEqual(['a 5', 'b 5', 'c 5']);
});

test('a flush from the end of a flush waits for a new fdatasync', () => {
  const calls: ((error: Error | null) => void)[] = [];
  const queue = new SyncQueue(() => 3, { syncData: (_fd, done) => calls.push(done) });
  const ends: string[] = [];
  queue.sync(() => {
    ends.push('first');
    queue.sync(() => ends.push('second'));
  });
  calls[0]!(null);
  expect(ends).toEqual(['first']);
  calls[1]!(null);
  expect(ends).toEqual(['first', 'second']);
});
