/** A thread's part in serving a mount: takes requests from the kernel's queue as they come. */

import { receiveMessageOnPort } from 'node:worker_threads';
import { Errno, errnoName } from '../../base/errors.ts';
import { REQUEST_BUFFER_BYTES } from '../../protocols/fuse/constants.ts';
import type { System } from '../../system/index.ts';
import { PinnedBuffer } from '../../system/pinned-buffer.ts';
import { Gate } from '../nbd/data-plane/gate.ts';
import type { FromWorker, StartMessage, ToWorker } from './messages.ts';

/** The longest sleep: a thread that sits in a system call cannot be ended, and the process waits for it when it exits. */
const SLEEP_MS = 1000;

export class WorkerMount {
  readonly #start: StartMessage;
  readonly #system: System;
  readonly #mailbox: Gate;
  readonly #input = PinnedBuffer.allocate(REQUEST_BUFFER_BYTES);
  readonly #descriptors: readonly number[];
  #ended: { reason: string | null } | null = null;

  constructor(start: StartMessage, system: System) {
    this.#start = start;
    this.#system = system;
    this.#mailbox = new Gate(start.mailbox);
    this.#descriptors = [start.fuseFd, start.eventFd];
  }

  /** Serves until the file system is unmounted or the main thread says stop; answers why if neither was the reason. */
  run(): string | null {
    for (;;) {
      if (this.#mailbox.signalled) this.#readMessages();
      if (this.#ended !== null) return this.#ended.reason;
      const { fuseFd } = this.#start;
      const count = this.#system.descriptors.read(fuseFd, this.#input, 0, REQUEST_BUFFER_BYTES);
      if (count > 0) this.#forward(count);
      else this.#handleError(-count);
    }
  }

  #handleError(errno: number): void {
    if (errno === Errno.EAGAIN) this.#sleep();
    else if (errno === Errno.ENODEV) this.#ended = { reason: null };
    // ENOENT: who asked was interrupted before the request could be handed out.
    else if (errno !== Errno.ENOENT && errno !== Errno.EINTR) {
      this.#ended = { reason: `/dev/fuse cannot be read: ${errnoName(errno)}` };
    }
  }

  #sleep(): void {
    const ready = this.#system.descriptors.waitReadable(this.#descriptors, SLEEP_MS);
    if ((ready & 2) !== 0) this.#system.descriptors.eventTake(this.#start.eventFd);
  }

  #readMessages(): void {
    this.#mailbox.clearSignal();
    for (;;) {
      const received = receiveMessageOnPort(this.#start.port) as { message: ToWorker } | undefined;
      if (received === undefined) return;
      const { message } = received;
      switch (message.kind) {
        case 'ping':
          this.#post({ kind: 'pong', id: message.id });
          break;
        case 'stop':
          this.#ended = { reason: null };
          break;
      }
    }
  }

  #forward(countBytes: number): void {
    const bytes = this.#input.bytes.slice(0, countBytes);
    this.#post({ kind: 'request', bytes }, [bytes.buffer]);
  }

  #post(message: FromWorker, transfer: ArrayBuffer[] = []): void {
    this.#start.port.postMessage(message, transfer);
  }
}
