import { expect, test } from 'vitest';
import type { Clock } from '../../../base/clock.ts';
import { waitUntilTaken } from './lent.ts';

/** A machine on which every wait lasts `waitMs`, however short it should be; `onWait` says what happens meanwhile. */
function busyClock(waitMs: number, onWait: () => void = () => {}) {
  let nowMs = 0;
  const clock: Clock = {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    after(_, action) {
      nowMs += waitMs;
      onWait();
      queueMicrotask(action);
      return { cancel: () => {} };
    },
  };
  return clock;
}

test('a client that takes its answers is waited for, however busy the machine is', async () => {
  let bytes = 200_000;
  const clock = busyClock(80, () => (bytes -= 10_000));
  expect(await waitUntilTaken(clock, { unreadBytes: () => bytes, isGone: () => false })).toBe(true);
  expect(clock.nowMs()).toBe(20 * 80);
});

test('room that the thread fills again is progress too', async () => {
  const sizes = [5, 5, 3, 9, 9, 4, 0];
  const clock = busyClock(1);
  const unreadBytes = () => sizes.shift()!;
  expect(await waitUntilTaken(clock, { unreadBytes, isGone: () => false })).toBe(true);
});

test('a client that takes nothing holds nobody up', async () => {
  const clock = busyClock(1);
  expect(await waitUntilTaken(clock, { unreadBytes: () => 7, isGone: () => false })).toBe(false);
  expect(clock.nowMs()).toBeLessThan(60);
});

test('nor does one that takes a byte now and then', async () => {
  let bytes = 1_000_000;
  const clock = busyClock(10, () => (bytes -= 1));
  expect(await waitUntilTaken(clock, { unreadBytes: () => bytes, isGone: () => false })).toBe(
    false,
  );
  expect(clock.nowMs()).toBeLessThan(5100);
});

test('nobody waits for a client that is gone', async () => {
  let isGone = false;
  const clock = busyClock(1, () => (isGone = true));
  expect(await waitUntilTaken(clock, { unreadBytes: () => 7, isGone: () => isGone })).toBe(false);
  expect(clock.nowMs()).toBe(1);
});
