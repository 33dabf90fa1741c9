/**
 * Flushes of one descriptor.
 *
 * Invariants
 * - A flush is answered by an fdatasync that started after it came; all that wait for the next one share it.
 * - After an fdatasync failed, every later flush fails with the same errno until the device is closed. Linux reports a
 *   failed write-back once and then counts the lost pages as clean: a second fdatasync would answer 0 about data
 *   that never reached the disk.
 */

import { ioErrno } from './leaf-bio.ts';
import type { PoolCalls } from './pool-calls.ts';

export type Done = (errno: number) => void;

export class SyncQueue {
  readonly #fd: () => number;
  readonly #calls: Pick<PoolCalls, 'syncData' | 'syncDataNow'>;
  readonly #inMemory: boolean;
  #waiting: Done[] = [];
  #isRunning = false;
  #failure = 0;

  /** `inMemory`: no call waits for a disk. */
  constructor(
    fd: () => number,
    calls: Pick<PoolCalls, 'syncData' | 'syncDataNow'>,
    inMemory = false,
  ) {
    this.#fd = fd;
    this.#calls = calls;
    this.#inMemory = inMemory;
  }

  /** `done` gets 0 once everything that was written before this call is durable. */
  sync(done: Done): void {
    if (this.#inMemory && this.#calls.syncDataNow) {
      this.#syncNow(this.#calls.syncDataNow);
      done(this.#failure);
      return;
    }
    this.#waiting.push(done);
    if (!this.#isRunning) this.#run();
  }

  #syncNow(syncDataNow: (fd: number) => void): void {
    try {
      syncDataNow(this.#fd());
    } catch (error) {
      if (this.#failure === 0) this.#failure = ioErrno(error);
    }
  }

  #run(): void {
    const callers = this.#waiting;
    this.#waiting = [];
    this.#isRunning = true;
    this.#calls.syncData(this.#fd(), (error) => {
      if (error && this.#failure === 0) this.#failure = ioErrno(error);
      this.#isRunning = false;
      if (this.#waiting.length > 0) this.#run();
      for (const done of callers) done(this.#failure);
    });
  }
}
