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
  /** How often each one is paused. */
  readonly #pauses = new Map<MappedDevice, number>();
  readonly #watch: StallWatch;
  #rowCount = 0;

  constructor(threads: readonly FuseThread[]) {
    this.#threads = threads;
    this.#watch = new StallWatch(threads, systemClock);
  }

  /** Does nothing where a copy is there or on its way out, while the device is paused, or when there are too many. */
  attach(device: MappedDevice, key: number): void {
    if (this.#devices.has(device) || this.#pauses.has(device)) return;
    if (this.#rowCount >= MAX_ROWS) return;
    const rowCounts = this.#threads.map((thread) => thread.attach(key, device));
    const rowCount = Math.max(0, ...rowCounts);
    this.#rowCount += rowCount;
    this.#devices.set(device, { key, rowCount, isLeaving: false });
    this.#watch.start();
  }

  /** Resolves when no thread does I/O of the device by itself; none does until the function that it answers is called. */
  async pause(device: MappedDevice): Promise<() => void> {
    this.#countPause(device, 1);
    const key = this.#devices.get(device)?.key;
    const goOn = key === undefined ? [] : this.#threads.map((thread) => thread.pause(key));
    const all = await Promise.all(goOn);
    return () => {
      for (const each of all) each();
      this.#countPause(device, -1);
    };
  }

  #countPause(device: MappedDevice, change: number): void {
    const count = (this.#pauses.get(device) ?? 0) + change;
    if (count === 0) this.#pauses.delete(device);
    else this.#pauses.set(device, count);
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
