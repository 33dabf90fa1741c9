/**
 * A thread's part in serving a mount: takes requests from the kernel's queue, does plain reads and writes on copies of the
 * stacks that are open, and leaves everything else to the main thread.
 *
 * Invariants
 * - Every request is answered exactly once: here, or by the main thread, on this thread's descriptor.
 * - I/O on a copy happens only inside its gate.
 */

import { receiveMessageOnPort } from 'node:worker_threads';
import { systemClock } from '../../base/clock.ts';
import { Errno, errnoName } from '../../base/errors.ts';
import { REQUEST_BUFFER_BYTES } from '../../protocols/fuse/constants.ts';
import type { System } from '../../system/index.ts';
import { PinnedBuffer } from '../../system/pinned-buffer.ts';
import { Gate } from '../data-plane/gate.ts';
import type { SlowDisk } from '../data-plane/slow-disk.ts';
import type { FromWorker, StartMessage, ToWorker } from './messages.ts';
import { PlainRequests } from './plain-requests.ts';
import { QueueReader } from './queue-reader.ts';

/** A request that the main thread has on account of a slow disk. */
interface Delayed {
  disk: SlowDisk;
  lengthBytes: number;
}

export class WorkerMount {
  readonly #start: StartMessage;
  readonly #mailbox: Gate;
  readonly #progress: Int32Array;
  readonly #input = PinnedBuffer.allocate(REQUEST_BUFFER_BYTES);
  readonly #queue: QueueReader;
  readonly #plain: PlainRequests;
  readonly #delayed = new Map<number, Delayed>();
  #lastId = 0;
  #ended: { reason: string | null } | null = null;

  constructor(start: StartMessage, system: System) {
    this.#start = start;
    this.#mailbox = new Gate(start.mailbox);
    this.#progress = new Int32Array(start.progress);
    this.#queue = new QueueReader({
      ...start,
      system,
      mailbox: this.#mailbox,
      nowMs: systemClock.nowMs,
    });
    this.#plain = new PlainRequests({ system, fuseFd: start.fuseFd, input: this.#input });
  }

  /** Serves until the file system is unmounted or the main thread says stop; answers why if neither was the reason. */
  async run(): Promise<string | null> {
    try {
      return await this.#serveAll();
    } finally {
      await this.#plain.close();
    }
  }

  async #serveAll(): Promise<string | null> {
    for (;;) {
      if (this.#mailbox.signalled) await this.#readMessages();
      if (this.#ended !== null) return this.#ended.reason;
      const count = this.#queue.take(this.#input);
      if (count > 0) this.#serve(count);
      else this.#handleError(-count);
    }
  }

  #serve(countBytes: number): void {
    Atomics.add(this.#progress, 0, 1);
    if (this.#plain.serve(countBytes)) return;
    const disk = this.#plain.slowDisk;
    if (disk === null) {
      this.#forward(countBytes, null);
      return;
    }
    this.#lastId += 1;
    this.#delayed.set(this.#lastId, { disk, lengthBytes: this.#plain.lengthBytes });
    this.#forward(countBytes, this.#lastId);
  }

  #handleError(errno: number): void {
    if (errno === Errno.ENODEV) this.#ended = { reason: null };
    // EAGAIN: there is a message. ENOENT: who asked was interrupted before the request could be handed out.
    else if (errno !== Errno.EAGAIN && errno !== Errno.ENOENT && errno !== Errno.EINTR) {
      this.#ended = { reason: `/dev/fuse cannot be read: ${errnoName(errno)}` };
    }
  }

  async #readMessages(): Promise<void> {
    // Before the messages are read: whoever signals has posted before.
    this.#mailbox.clearSignal();
    this.#plain.clearSignals();
    for (;;) {
      const received = receiveMessageOnPort(this.#start.port) as { message: ToWorker } | undefined;
      if (received === undefined) return;
      await this.#receive(received.message);
    }
  }

  async #receive(message: ToWorker): Promise<void> {
    switch (message.kind) {
      case 'ping':
        this.#post({ kind: 'pong', id: message.id });
        break;
      case 'stop':
        this.#ended = { reason: null };
        break;
      case 'attach':
        this.#plain.attach(message.key, new Gate(message.gate));
        await this.#install(message.key, message.plan);
        break;
      case 'plan':
        await this.#install(message.key, message.plan);
        break;
      case 'forget':
        await this.#plain.forget(message.key);
        break;
      case 'detach':
        await this.#plain.detach(message.key);
        break;
      case 'answered':
        this.#noteAnswer(message.id, message.durationMs);
        break;
    }
  }

  async #install(key: number, plan: Extract<ToWorker, { kind: 'plan' }>['plan']): Promise<void> {
    await this.#plain.install(key, plan);
    this.#post({ kind: 'planned', key });
  }

  #noteAnswer(id: number, durationMs: number): void {
    const delayed = this.#delayed.get(id);
    this.#delayed.delete(id);
    delayed?.disk.noteAnswer(durationMs, delayed.lengthBytes);
  }

  #forward(countBytes: number, id: number | null): void {
    const bytes = this.#input.bytes.slice(0, countBytes);
    this.#post({ kind: 'request', bytes, id }, [bytes.buffer]);
  }

  #post(message: FromWorker, transfer: ArrayBuffer[] = []): void {
    this.#start.port.postMessage(message, transfer);
  }
}
