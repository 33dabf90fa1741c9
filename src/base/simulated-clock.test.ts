import { expect, test } from 'vitest';
import { sleep } from './clock.ts';
import { SimulatedClock } from './simulated-clock.ts';

test('runs timers in the order they are due, equal ones in the order they were set', async () => {
  const clock = new SimulatedClock();
  const ran: string[] = [];
  clock.after(20, () => ran.push(`c at ${clock.nowMs()}`));
  clock.after(10, () => ran.push(`a at ${clock.nowMs()}`));
  clock.after(10, () => ran.push(`b at ${clock.nowMs()}`));
  await clock.advance(10);
  expect(ran).toEqual(['a at 10', 'b at 10']);
  await clock.advance(15);
  expect(ran.at(-1)).toBe('c at 20');
  expect(clock.nowMs()).toBe(25);
});

test('lets promises go on between timers', async () => {
  const clock = new SimulatedClock();
  const steps: number[] = [];
  const run = async () => {
    for (let i = 0; i < 3; i += 1) {
      await sleep(clock, 5);
      steps.push(clock.nowMs());
    }
  };
  const done = run();
  await clock.advance(12);
  expect(steps).toEqual([5, 10]);
  await clock.runUntilIdle();
  await done;
  expect(steps).toEqual([5, 10, 15]);
});

test('cancels, and does not wait for background timers', async () => {
  const clock = new SimulatedClock();
  const ran: string[] = [];
  clock.after(1, () => ran.push('cancelled')).cancel();
  const again = () => {
    ran.push('tick');
    clock.after(10, again, { background: true });
  };
  clock.after(10, again, { background: true });
  clock.after(25, () => ran.push('end'));
  expect(clock.pendingCount).toBe(1);
  await clock.runUntilIdle();
  expect(ran).toEqual(['tick', 'tick', 'end']);
  expect(clock.wallMs() - 946_684_800_000).toBe(25);
});
