/**
 * Takes over when every thread of a mount sits in a call on a disk: then nobody takes requests, not even those that the calls may
 * wait for, when a disk below stands, through a loop device and a file system, on a device of this very mount.
 *
 * Threads avoid slow disks, so this is rare: a look every few milliseconds, and only while threads do I/O by themselves; more often
 * while they are stuck, since a program that waits for one request after another waits for a look each time.
 */

import type { Clock, Timer } from '../../base/clock.ts';
import type { FuseThread } from './fuse-thread.ts';

const LOOK_MS = 20;
const STUCK_LOOK_MS = 1;

export class StallWatch {
  readonly #threads: readonly FuseThread[];
  readonly #clock: Clock;
  #timer: Timer | null = null;

  constructor(threads: readonly FuseThread[], clock: Clock) {
    this.#threads = threads;
    this.#clock = clock;
  }

  start(): void {
    this.#lookAfter(LOOK_MS);
  }

  #lookAfter(delayMs: number): void {
    this.#timer ??= this.#clock.after(delayMs, () => this.#look(), { background: true });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #look(): void {
    this.#timer = null;
    // Every one is asked, since each answers for the time since it was asked last.
    const stuck = this.#threads.filter((thread) => thread.isStuck());
    const areAllStuck = stuck.length > 0 && stuck.length === this.#threads.length;
    if (areAllStuck) stuck[0]?.takeOver();
    this.#lookAfter(areAllStuck ? STUCK_LOOK_MS : LOOK_MS);
  }
}
