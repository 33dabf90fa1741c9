/**
 * One thread that serves a mount, seen from the main thread: its descriptors, and the requests it leaves to the main thread.
 * A thread is asked to end and never terminated: see `PlaneThread`.
 */

import { writeSync } from 'node:fs';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { System } from '../../system/index.ts';
import { Gate, Signal } from '../nbd/data-plane/gate.ts';
import type { FromWorker, StartMessage, ToWorker } from './messages.ts';
import type { ThreadProcess } from './thread-process.ts';

export interface FuseThreadOptions {
  system: System;
  /** The thread's own from now on: closed when it is over. */
  fuseFd: number;
  eventFd: number;
  /** `reply` must be called once, with null where the kernel expects none. */
  execute(bytes: Uint8Array, reply: (bytes: Uint8Array | null) => void): void;
}

export class FuseThread {
  /** Resolves when the thread is done, with the reason if it should not be. Its descriptor is closed by `close`. */
  readonly ended: Promise<string | null>;
  readonly #options: FuseThreadOptions;
  readonly #thread: ThreadProcess;
  readonly #port: MessagePort;
  readonly #mailbox = new Gate();
  readonly #pings = new Map<number, () => void>();
  #lastPing = 0;
  #resolveEnded!: (reason: string | null) => void;
  #isEnded = false;
  #isClosed = false;

  constructor(thread: ThreadProcess, options: FuseThreadOptions) {
    this.#options = options;
    this.#thread = thread;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    thread.onEnd = (error) => {
      this.#end(`its thread died: ${error?.message ?? 'no reason given'}`);
    };
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', (message: FromWorker) => this.#receive(message));
    // The mount alone does not keep the process alive: its owner does.
    port1.unref();
    const { fuseFd, eventFd } = options;
    const start: StartMessage = { port: port2, fuseFd, eventFd, mailbox: this.#mailbox.memory };
    thread.post(start, [port2]);
  }

  /** Resolves when every request that the thread had taken is known here or answered. */
  async ping(): Promise<void> {
    if (this.#isEnded) return;
    this.#lastPing += 1;
    const id = this.#lastPing;
    await new Promise<void>((resolve) => {
      this.#pings.set(id, resolve);
      this.#post({ kind: 'ping', id });
    });
  }

  stop(): void {
    this.#post({ kind: 'stop' });
  }

  /** Ends the thread. After it has ended, and when no reply is outstanding. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const { system, fuseFd, eventFd } = this.#options;
    system.descriptors.close(fuseFd);
    system.descriptors.close(eventFd);
    await this.#thread.end();
  }

  #post(message: ToWorker): void {
    if (this.#isEnded) return;
    this.#port.postMessage(message);
    this.#mailbox.signal(Signal.message);
    this.#options.system.descriptors.eventAdd(this.#options.eventFd, 1);
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'request':
        this.#options.execute(message.bytes, (reply) => this.#reply(reply));
        break;
      case 'pong':
        this.#pings.get(message.id)?.();
        this.#pings.delete(message.id);
        break;
      case 'end':
        this.#end(message.reason);
        break;
    }
  }

  /** A reply never waits. It may come too late: the program was killed, or the file system unmounted. */
  #reply(reply: Uint8Array | null): void {
    if (reply === null || this.#isClosed) return;
    try {
      writeSync(this.#options.fuseFd, reply);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENODEV' && code !== 'EPERM') throw error;
    }
  }

  #end(reason: string | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#port.close();
    for (const resolve of this.#pings.values()) resolve();
    this.#pings.clear();
    this.#resolveEnded(reason);
  }
}
