/**
 * Takes requests from the kernel's queue, or waits for one, or for a message of the main thread: first by asking again and again
 * for a short while, then asleep. Asking again pays only while requests keep coming: see `Credit` in waiter.ts.
 */

import { Errno } from '../../base/errors.ts';
import { REQUEST_BUFFER_BYTES } from '../../protocols/fuse/constants.ts';
import type { System } from '../../system/index.ts';
import type { PinnedBuffer } from '../../system/pinned-buffer.ts';
import type { Gate } from '../data-plane/gate.ts';

/** The longest sleep: a thread that sits in a system call cannot be ended, and the process waits for it when it exits. */
const SLEEP_MS = 1000;
/** Spins that found nothing, less those that found something, until spinning stops. */
const CREDIT_LIMIT = 8;
/** The clock is looked at once per so many attempts. */
const ATTEMPTS_PER_LOOK = 4;

export interface QueueReaderOptions {
  system: System;
  nowMs(): number;
  fuseFd: number;
  eventFd: number;
  mailbox: Gate;
  spinMicroseconds: number;
}

export class QueueReader {
  readonly #options: QueueReaderOptions;
  readonly #descriptors: readonly number[];
  readonly #spinMs: number;
  #credit = CREDIT_LIMIT;

  constructor(options: QueueReaderOptions) {
    this.#options = options;
    this.#descriptors = [options.fuseFd, options.eventFd];
    this.#spinMs = options.spinMicroseconds / 1000;
  }

  /** Answers the length of a request, -EAGAIN when the main thread has a message, or another negative errno. */
  take(buffer: PinnedBuffer): number {
    for (;;) {
      let count = this.#tryTake(buffer);
      if (count !== -Errno.EAGAIN) return count;
      if (this.#spinMs > 0 && this.#credit > 0) count = this.#spin(buffer);
      if (count !== -Errno.EAGAIN || this.#options.mailbox.signalled) return count;
      if (this.#sleep()) return -Errno.EAGAIN;
    }
  }

  #tryTake(buffer: PinnedBuffer): number {
    const { system, fuseFd } = this.#options;
    return system.descriptors.read(fuseFd, buffer, 0, REQUEST_BUFFER_BYTES);
  }

  #spin(buffer: PinnedBuffer): number {
    const { mailbox, nowMs } = this.#options;
    const endMs = nowMs() + this.#spinMs;
    do {
      for (let attempt = 0; attempt < ATTEMPTS_PER_LOOK; attempt += 1) {
        const count = this.#tryTake(buffer);
        if (count === -Errno.EAGAIN && !mailbox.signalled) continue;
        this.#credit = CREDIT_LIMIT;
        return count;
      }
    } while (nowMs() < endMs);
    this.#credit -= 1;
    return -Errno.EAGAIN;
  }

  /** True when the main thread rang. */
  #sleep(): boolean {
    const { system, nowMs, eventFd } = this.#options;
    const startMs = nowMs();
    const ready = system.descriptors.waitReadable(this.#descriptors, SLEEP_MS);
    if (nowMs() - startMs < this.#spinMs) this.#credit = Math.min(this.#credit + 2, CREDIT_LIMIT);
    if ((ready & 2) === 0) return false;
    system.descriptors.eventTake(eventFd);
    return true;
  }
}
