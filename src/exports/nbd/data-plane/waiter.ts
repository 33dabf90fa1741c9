/**
 * Waits for the client or for a message of the main thread: first by asking again and again for a short while, then asleep.
 *
 * Waking a sleeping thread costs both sides more than a small request does. Asking again pays only while requests keep coming,
 * so it is given up when it found nothing several times in a row, and taken up again when a sleep turns out to have been short.
 */

import { Errno } from '../../../base/errors.ts';
import type { System } from '../../../system/index.ts';
import type { PinnedBuffer } from '../../../system/pinned-buffer.ts';
import { MessageFlag } from '../../../system/socket-calls.ts';
import type { Gate } from '../../data-plane/gate.ts';

/** Spins that found nothing, less those that found something, until spinning stops. */
const CREDIT_LIMIT = 8;
/** The longest sleep: a thread that sits in a system call cannot be ended, and the process waits for it when it exits. */
export const SLEEP_MS = 1000;
/** The clock is looked at once per so many attempts. */
const ATTEMPTS_PER_LOOK = 8;

export interface WaiterOptions {
  system: System;
  nowMs(): number;
  socketFd: number;
  eventFd: number;
  gate: Gate;
  spinMicroseconds: number;
}

export class Waiter {
  /** Times that spinning was tried, and that the thread slept. */
  spinCount = 0;
  sleepCount = 0;
  readonly #options: WaiterOptions;
  readonly #both: readonly number[];
  readonly #eventOnly: readonly number[];
  readonly #spinMs: number;
  #credit = CREDIT_LIMIT;

  constructor(options: WaiterOptions) {
    this.#options = options;
    this.#both = [options.socketFd, options.eventFd];
    this.#eventOnly = [options.eventFd];
    this.#spinMs = options.spinMicroseconds / 1000;
  }

  /**
   * Receives at `offsetBytes`, waiting until there is something. Returns the count, 0 at the end of the stream, a negative
   * errno, or -EAGAIN when the main thread has a message. `mainWorks`: it has requests to work on, and on a small machine needs
   * the processor for them.
   */
  receive(
    buffer: PinnedBuffer,
    offsetBytes: number,
    lengthBytes: number,
    mainWorks: boolean,
  ): number {
    for (;;) {
      let count = this.#tryReceive(buffer, offsetBytes, lengthBytes);
      if (count !== -Errno.EAGAIN) return count;
      if (this.#spinMs > 0 && this.#credit > 0 && !mainWorks)
        count = this.#spin(buffer, offsetBytes, lengthBytes);
      if (count !== -Errno.EAGAIN || this.#options.gate.signalled) return count;
      if (this.#sleep(this.#both)) return -Errno.EAGAIN;
    }
  }

  /** Waits for a message alone, while the client has to wait. */
  waitForMessage(): void {
    while (!this.#options.gate.signalled) if (this.#sleep(this.#eventOnly)) return;
  }

  #tryReceive(buffer: PinnedBuffer, offsetBytes: number, lengthBytes: number): number {
    const { system, socketFd } = this.#options;
    return system.sockets.recv(socketFd, buffer, offsetBytes, lengthBytes, MessageFlag.dontWait);
  }

  #spin(buffer: PinnedBuffer, offsetBytes: number, lengthBytes: number): number {
    const { gate, nowMs } = this.#options;
    this.spinCount += 1;
    const endMs = nowMs() + this.#spinMs;
    do {
      for (let attempt = 0; attempt < ATTEMPTS_PER_LOOK; attempt += 1) {
        const count = this.#tryReceive(buffer, offsetBytes, lengthBytes);
        if (count === -Errno.EAGAIN && !gate.signalled) continue;
        this.#credit = CREDIT_LIMIT;
        return count;
      }
    } while (nowMs() < endMs);
    this.#credit -= 1;
    return -Errno.EAGAIN;
  }

  /** True when the main thread rang. */
  #sleep(descriptors: readonly number[]): boolean {
    const { system, nowMs, eventFd } = this.#options;
    this.sleepCount += 1;
    const startMs = nowMs();
    const ready = system.descriptors.waitReadable(descriptors, SLEEP_MS);
    if (nowMs() - startMs < this.#spinMs) this.#credit = Math.min(this.#credit + 2, CREDIT_LIMIT);
    const eventBit = descriptors.length === 1 ? 1 : 2;
    if ((ready & eventBit) === 0) return false;
    system.descriptors.eventTake(eventFd);
    return true;
  }
}
