/** A limit on what all regions of a process take together: a message of a few bytes may ask for gigabytes. */

import { DmError } from '../../base/errors.ts';

/** The kernel allows a quarter of the machine's memory. */
const DEFAULT_LIMIT_BYTES = 256 * 1024 * 1024;

export class StatisticsMemory {
  readonly #limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes = DEFAULT_LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Throws ENOMEM, as the kernel does, when it is not there. */
  take(bytes: number): void {
    if (this.#usedBytes + bytes > this.#limitBytes) {
      throw new DmError(
        'ENOMEM',
        `Cannot create region: its counters take ${bytes} bytes, expected at most ${this.#limitBytes - this.#usedBytes} (${this.#usedBytes} of ${this.#limitBytes} are in use)`,
      );
    }
    this.#usedBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** Shared by all devices of the process, as one kernel's is. */
export const processStatisticsMemory = new StatisticsMemory();
