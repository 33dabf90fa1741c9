import { expect, it } from 'vitest';
import { AsyncQueue } from './async-queue.ts';

type Done = (error: unknown, result: number) => void;

it('starts three, and the next when one has ended', async () => {
  const started: Done[] = [];
  const queue = new AsyncQueue((result) => result);
  const answers = [0, 1, 2, 3, 4].map(() => queue.run((done) => started.push(done), null));
  expect(started.length).toBe(3);
  started[1]!(null, 11);
  expect(await answers[1]).toBe(11);
  expect(started.length).toBe(4);
  started[0]!(null, 10);
  started[2]!(null, 12);
  started[3]!(null, 13);
  started[4]!(null, 14);
  expect(await Promise.all(answers)).toEqual([10, 11, 12, 13, 14]);
});

it('makes an interrupted call again', async () => {
  const results = [-4, -4, 7];
  const queue = new AsyncQueue((result) => result);
  expect(await queue.run((done) => queueMicrotask(() => done(null, results.shift()!)), null)).toBe(
    7,
  );
});

it('rejects with the error of the binding and goes on', async () => {
  const queue = new AsyncQueue((result) => result);
  const broken = queue.run((done) => done(new TypeError('wrong argument'), 0), null);
  await expect(broken).rejects.toThrow('wrong argument');
  expect(await queue.run((done) => done(null, 1), null)).toBe(1);
});
