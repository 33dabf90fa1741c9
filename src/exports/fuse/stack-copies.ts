/** Which devices the threads of a mount have copies of: those that are read or written a lot, as far as memory allows. */

import { systemClock } from '../../base/clock.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import type { FuseThread } from './fuse-thread.ts';
import { StallWatch } from './stall-watch.ts';

/** Rows of all tables that each thread has copies of; more would not fit the memory that a thread may have. */
const MAX_ROWS = 200_000;

interface CopiedDevice {
  key: number;
  rowCount: number;
  /** Threads are being told to let go of it. */
  isLeaving: boolean;
}

export class StackCopies {
  readonly #threads: readonly FuseThread[];
  readonly #devices = new Map<MappedDevice, CopiedDevice>();
  readonly #watch: StallWatch;
  #rowCount = 0;

  constructor(threads: readonly FuseThread[]) {
    this.#threads = threads;
    this.#watch = new StallWatch(threads, systemClock);
  }

  /** Does nothing where a copy is there or on its way out, or when there are too many. */
  attach(device: MappedDevice, key: number): void {
    if (this.#devices.has(device) || this.#rowCount >= MAX_ROWS) return;
    const rowCounts = this.#threads.map((thread) => thread.attach(key, device));
    const rowCount = Math.max(0, ...rowCounts);
    this.#rowCount += rowCount;
    this.#devices.set(device, { key, rowCount, isLeaving: false });
    this.#watch.start();
  }

  detach(device: MappedDevice): void {
    const copied = this.#devices.get(device);
    if (copied === undefined || copied.isLeaving) return;
    copied.isLeaving = true;
    const gone = this.#threads.map((thread) => thread.detach(copied.key));
    void Promise.all(gone).then(() => {
      this.#devices.delete(device);
      this.#rowCount -= copied.rowCount;
      if (this.#devices.size === 0) this.#watch.stop();
    });
  }
}
