import { expect, test } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { type BudgetShare, MemoryBudget } from './memory-budget.ts';

/** Time that moves when told. */
class ManualClock implements Clock {
  #nowMs = 0;
  #timers: { dueMs: number; action: () => void }[] = [];

  nowMs = () => this.#nowMs;
  wallMs = () => this.#nowMs;

  after(delayMs: number, action: () => void) {
    const timer = { dueMs: this.#nowMs + delayMs, action };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.#nowMs);
    this.#timers = this.#timers.filter(({ dueMs }) => dueMs > this.#nowMs);
    for (const { action } of due) action();
  }

  get timerCount(): number {
    return this.#timers.length;
  }
}

class Holder {
  readonly share: BudgetShare;
  /** What it would like to have. */
  wantedBytes = 0;
  idleMs = 0;
  evicted = false;

  constructor(budget: MemoryBudget) {
    this.share = budget.open(this);
  }

  want(bytes: number): boolean {
    if (this.share.reserve(bytes)) return true;
    this.wantedBytes = bytes;
    return false;
  }

  onRoom(): void {
    if (this.wantedBytes > 0 && this.share.reserve(this.wantedBytes)) this.wantedBytes = 0;
  }

  stalledMs(): number {
    return this.idleMs;
  }

  evict(): void {
    this.evicted = true;
    this.share.close();
  }
}

function budgetFor(count: number) {
  const clock = new ManualClock();
  const options = { totalBytes: 100, ownBytes: 10, maxBytes: 80, stallMs: 1000, clock };
  const budget = new MemoryBudget(options);
  const holders = Array.from({ length: count }, () => new Holder(budget));
  return { budget, clock, holders: holders as [Holder, Holder, Holder] };
}

test('what is small comes from one own, the rest from the pool', () => {
  const { budget, holders } = budgetFor(2);
  expect(holders[0].want(10)).toBe(true);
  expect(budget.pooledBytes).toBe(0);
  expect(holders[0].want(50)).toBe(true);
  expect(budget.pooledBytes).toBe(50);
  holders[0].share.release(50);
  expect(budget.pooledBytes).toBe(0);
});

test('an empty pool stops large requests, never small ones', () => {
  const { holders } = budgetFor(3);
  const [a, b, c] = holders;
  expect(a.want(80)).toBe(true);
  expect(b.want(40)).toBe(true);
  expect(c.want(11)).toBe(false);
  c.wantedBytes = 0;
  c.share.withdraw();
  expect(c.want(10)).toBe(true);
});

test('no connection holds more than its share, but one request always fits', () => {
  const { holders } = budgetFor(2);
  const [a, b] = holders;
  expect(a.want(80)).toBe(true);
  expect(a.want(1)).toBe(false);
  a.share.release(80);
  a.wantedBytes = 0;
  expect(a.want(500)).toBe(true);
  expect(b.want(20)).toBe(false);
  a.share.release(500);
  expect(b.share.usedBytes).toBe(20);
});

test('who waits is served in order: a small request does not overtake a large one', () => {
  const { holders } = budgetFor(3);
  const [a, b, c] = holders;
  a.want(80);
  expect(b.want(70)).toBe(false);
  expect(c.want(15)).toBe(false);
  a.share.release(40);
  expect([b.share.usedBytes, c.share.usedBytes]).toEqual([70, 15]);
});

test('who gives up waiting lets the next one in', () => {
  const { holders } = budgetFor(3);
  const [a, b, c] = holders;
  a.want(80);
  b.want(70);
  expect(c.want(15)).toBe(false);
  b.wantedBytes = 0;
  b.share.withdraw();
  expect(c.share.usedBytes).toBe(15);
});

test('a client that sleeps on memory others wait for is evicted, nobody else', () => {
  const { clock, budget, holders } = budgetFor(3);
  const [a, b, c] = holders;
  a.want(80);
  b.want(30);
  a.idleMs = 5000;
  clock.advance(5000);
  expect(a.evicted).toBe(false);
  expect(c.want(50)).toBe(false);
  clock.advance(250);
  expect([a.evicted, b.evicted]).toEqual([true, false]);
  expect(c.share.usedBytes).toBe(50);
  expect(clock.timerCount).toBe(0);
  for (const holder of [b, c]) holder.share.close();
  expect(budget.pooledBytes).toBe(0);
});

test('a client that is slow, not asleep, is not evicted', () => {
  const { clock, holders } = budgetFor(2);
  const [a, b] = holders;
  a.want(80);
  a.idleMs = 999;
  b.want(50);
  for (let count = 0; count < 10; count += 1) clock.advance(250);
  expect(a.evicted).toBe(false);
  a.share.release(80);
  expect(b.share.usedBytes).toBe(50);
});
