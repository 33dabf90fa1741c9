/** Who does I/O of a mapped device outside `submit`, and how the device stops and restarts them together. */

import type { BlockDevice } from './device.ts';
import type { IoStatistics } from './statistics.ts';

/** Something that does I/O of this device outside `submit` (a data-plane worker) and can be told to stop. */
export interface Bypass {
  /** Resolves when nothing is under way there; from now on everything comes through `submit`. */
  quiesce(): Promise<void>;
  /** The device runs again, perhaps with another table, or with regions that must see all I/O. */
  release(): void;
  /** What it counted for this device, if anything. */
  statistics(device: BlockDevice): IoStatistics | undefined;
}

export class Bypasses {
  readonly #bypasses = new Set<Bypass>();

  add(bypass: Bypass): void {
    this.#bypasses.add(bypass);
  }

  /** False: it was not there. */
  delete(bypass: Bypass): boolean {
    return this.#bypasses.delete(bypass);
  }

  async quiesce(): Promise<void> {
    await Promise.all([...this.#bypasses].map((bypass) => bypass.quiesce()));
  }

  release(): void {
    // A copy: releasing attaches and detaches.
    for (const bypass of [...this.#bypasses]) bypass.release();
  }

  statistics(device: BlockDevice): IoStatistics[] {
    return [...this.#bypasses]
      .map((bypass) => bypass.statistics(device))
      .filter((part) => part !== undefined);
  }
}
