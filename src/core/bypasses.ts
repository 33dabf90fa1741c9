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
  #renewalCount = 0;

  /** One that comes while the others rest, rests from the start. */
  add(bypass: Bypass, isBlocked: boolean): void {
    this.#bypasses.add(bypass);
    if (isBlocked || this.#renewalCount > 0) void bypass.quiesce();
  }

  /** False: it was not there. */
  delete(bypass: Bypass): boolean {
    return this.#bypasses.delete(bypass);
  }

  /** Resolves when all rest, those that came meanwhile too. */
  async quiesce(): Promise<void> {
    let seen: readonly Bypass[];
    do {
      seen = [...this.#bypasses];
      await Promise.all(seen.map((bypass) => bypass.quiesce()));
    } while ([...this.#bypasses].some((bypass) => !seen.includes(bypass)));
  }

  /** Stops all and lets them look at the device anew, unless `isBlocked` says by then that they have to rest on. */
  async renew(isBlocked: () => boolean): Promise<void> {
    this.#renewalCount += 1;
    try {
      await this.quiesce();
    } finally {
      this.#renewalCount -= 1;
    }
    // The last of several that overlap lets them go.
    if (this.#renewalCount === 0 && !isBlocked()) this.release();
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
