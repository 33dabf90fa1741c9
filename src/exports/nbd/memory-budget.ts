/**
 * Memory that requests hold on the main thread, shared by all connections of a server.
 *
 * Invariants
 * - Every connection may hold a little of its own (`ownBytes`), so that small requests go on whatever the others do.
 * - What goes beyond comes from a common pool, first come, first served, and never more than `maxBytes` for one connection.
 * - While somebody waits for the pool, a connection that holds a part of it and whose client neither sends nor
 *   takes bytes for `stallMs` is evicted.
 */

import { assert } from '../../base/assert.ts';
import type { Clock, Timer } from '../../base/clock.ts';

export interface MemoryBudgetOptions {
  /** The common pool. */
  totalBytes: number;
  ownBytes: number;
  maxBytes: number;
  stallMs: number;
  clock: Clock;
}

/** What the budget asks and tells a connection. */
export interface BudgetHolder {
  /** A refused `reserve` may be tried again. */
  onRoom(): void;
  /** How long the connection has been waiting for its client; 0 when it is not. */
  stalledMs(): number;
  evict(): void;
}

export class MemoryBudget {
  readonly #options: MemoryBudgetOptions;
  readonly #shares = new Set<BudgetShare>();
  #waiting: BudgetShare[] = [];
  #pooledBytes = 0;
  #timer: Timer | null = null;

  constructor(options: MemoryBudgetOptions) {
    this.#options = options;
  }

  /** What is taken from the common pool. */
  get pooledBytes(): number {
    return this.#pooledBytes;
  }

  open(holder: BudgetHolder): BudgetShare {
    const share = new BudgetShare(this, holder);
    this.#shares.add(share);
    return share;
  }

  /** For `BudgetShare` alone, as is all below. */
  reserve(share: BudgetShare, bytes: number): boolean {
    const { ownBytes, maxBytes, totalBytes } = this.#options;
    const used = share.usedBytes + bytes;
    // One request always fits, however large.
    if (used > maxBytes && share.usedBytes > 0) return false;
    const pooled = Math.max(0, used - ownBytes) - share.pooledBytes;
    if (pooled > 0) {
      const isFirst = this.#waiting.length === 0 || this.#waiting[0] === share;
      const fits = this.#pooledBytes + pooled <= totalBytes || this.#pooledBytes === 0;
      if (!(isFirst && fits)) {
        this.#wait(share);
        return false;
      }
      this.#unwait(share);
    }
    this.#take(share, used, share.pooledBytes + Math.max(0, pooled));
    return true;
  }

  release(share: BudgetShare, bytes: number): void {
    const used = share.usedBytes - bytes;
    assert(used >= 0, 'a connection gives back no more memory than it took');
    const freed = share.pooledBytes;
    this.#take(share, used, Math.min(freed, Math.max(0, used - this.#options.ownBytes)));
    if (share.pooledBytes < freed) this.#offer();
  }

  withdraw(share: BudgetShare): void {
    this.#unwait(share);
    this.#offer();
  }

  close(share: BudgetShare): void {
    this.#shares.delete(share);
    this.#unwait(share);
    this.release(share, share.usedBytes);
    this.#offer();
  }

  #take(share: BudgetShare, usedBytes: number, pooledBytes: number): void {
    this.#pooledBytes += pooledBytes - share.pooledBytes;
    share.usedBytes = usedBytes;
    share.pooledBytes = pooledBytes;
  }

  #wait(share: BudgetShare): void {
    if (!this.#waiting.includes(share)) this.#waiting.push(share);
    this.#watch();
  }

  #unwait(share: BudgetShare): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting !== share);
    if (this.#waiting.length > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Lets those who wait try again, in order, until one still cannot. */
  #offer(): void {
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      first.holder.onRoom();
      if (this.#waiting[0] === first) return;
    }
  }

  #watch(): void {
    const { clock, stallMs } = this.#options;
    this.#timer ??= clock.after(stallMs / 4, () => this.#evictStalled(), { background: true });
  }

  #evictStalled(): void {
    this.#timer = null;
    for (const share of this.#shares) {
      const isStalled = share.holder.stalledMs() >= this.#options.stallMs;
      if (share.pooledBytes > 0 && isStalled) share.holder.evict();
    }
    if (this.#waiting.length > 0) this.#watch();
  }
}

/** One connection's part of the budget. */
export class BudgetShare {
  readonly holder: BudgetHolder;
  readonly #budget: MemoryBudget;
  usedBytes = 0;
  /** Of `usedBytes`, what comes from the common pool. */
  pooledBytes = 0;

  constructor(budget: MemoryBudget, holder: BudgetHolder) {
    this.#budget = budget;
    this.holder = holder;
  }

  /** false: not now; `onRoom` or one's own `release` is the time to try again. */
  reserve(bytes: number): boolean {
    return this.#budget.reserve(this, bytes);
  }

  release(bytes: number): void {
    if (bytes > 0) this.#budget.release(this, bytes);
  }

  /** Stands in line no more. */
  withdraw(): void {
    this.#budget.withdraw(this);
  }

  /** Gives everything back. */
  close(): void {
    this.#budget.close(this);
  }
}
