import { afterEach, beforeEach, expect, type MockInstance, test, vi } from 'vitest';
import { EventLoopSpin } from './event-loop-spin.ts';

let nowMs = 0;
let immediate: MockInstance<typeof setImmediate>;

beforeEach(() => {
  nowMs = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  immediate = vi.spyOn(globalThis, 'setImmediate').mockReturnValue({} as NodeJS.Immediate);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** The event loop comes round; whether it is kept awake then. */
function turn(): boolean {
  const action = immediate.mock.calls.at(-1)![0];
  immediate.mockClear();
  action();
  return immediate.mock.calls.length > 0;
}

function exchange(spin: EventLoopSpin, tookMs: number): void {
  spin.await();
  nowMs += tookMs;
  spin.arrived();
}

test('sleeps until it knows the other side to be quick', () => {
  const spin = new EventLoopSpin(1);
  spin.await();
  expect(immediate).not.toHaveBeenCalled();
});

test('stays awake for a quick one until it has spoken', () => {
  const spin = new EventLoopSpin(1);
  exchange(spin, 0.5);
  spin.await();
  expect(turn()).toBe(true);
  nowMs += 0.5;
  expect(turn()).toBe(true);
  spin.arrived();
  expect(turn()).toBe(false);
});

test('stays awake no longer than its limit, and not at all for one who took longer', () => {
  const spin = new EventLoopSpin(1);
  exchange(spin, 0.5);
  spin.await();
  nowMs += 1;
  expect(turn()).toBe(false);
  spin.arrived();
  exchange(spin, 5);
  immediate.mockClear();
  spin.await();
  expect(immediate).not.toHaveBeenCalled();
});

test('turns once however often it is asked to', () => {
  const spin = new EventLoopSpin(1);
  exchange(spin, 0.5);
  immediate.mockClear();
  for (let count = 0; count < 3; count += 1) exchange(spin, 0.1);
  expect(immediate).toHaveBeenCalledTimes(1);
});
