/**
 * One thread that serves a mount, seen from the main thread: its descriptors, and the requests it leaves to the main thread.
 * A thread is asked to end and never terminated: see `PlaneThread`.
 */

import { readSync, writeSync } from 'node:fs';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { systemClock } from '../../base/clock.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import { REQUEST_BUFFER_BYTES } from '../../protocols/fuse/constants.ts';
import type { System } from '../../system/index.ts';
import { Gate, Signal } from '../data-plane/gate.ts';
import { StackLink } from '../data-plane/stack-link.ts';
import type { FromWorker, StartMessage, ToWorker } from './messages.ts';
import type { Seat } from './seats.ts';

/** Requests that the main thread takes at a time. */
const TAKE_OVER_LIMIT = 64;

export interface FuseThreadOptions {
  system: System;
  /** How long it asks an empty queue again before it sleeps. */
  spinMicroseconds: number;
  /** `reply` must be called once, with null where the kernel expects none; it answers whether the kernel took it. */
  execute(bytes: Uint8Array, reply: (bytes: Uint8Array | null) => boolean): void;
  report(message: string): void;
}

export class FuseThread {
  /** Resolves when the thread is done, with the reason if it should not be. Its descriptor is closed by `close`. */
  readonly ended: Promise<string | null>;
  readonly #options: FuseThreadOptions;
  /** The descriptors are closed when the thread is over. */
  readonly #seat: Seat;
  readonly #port: MessagePort;
  readonly #mailbox = new Gate();
  readonly #progress = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #seenProgress = -1;
  readonly #pings = new Map<number, () => void>();
  /** By device key. */
  readonly #links = new Map<number, StackLink>();
  #lastPing = 0;
  #resolveEnded!: (reason: string | null) => void;
  #isEnded = false;
  #isClosed = false;

  constructor(seat: Seat, options: FuseThreadOptions) {
    this.#options = options;
    this.#seat = seat;
    const { thread, fuseFd, eventFd } = seat;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    thread.onEnd = (error) => {
      // What it still had to say may be that a program closed a file.
      this.#receiveRest();
      this.#end(`a thread of the mount died: ${error?.message ?? 'no reason given'}`);
      // With its queue go the requests it had taken: they fail instead of waiting for ever.
      this.#closeDescriptors();
    };
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', (message: FromWorker) => this.#receive(message));
    // The mount alone does not keep the process alive: its owner does.
    port1.unref();
    const start: StartMessage = {
      port: port2,
      fuseFd,
      eventFd,
      mailbox: this.#mailbox.memory,
      progress: this.#progress.buffer,
      spinMicroseconds: options.spinMicroseconds,
    };
    thread.serve(start, [port2]);
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
    this.#closeDescriptors();
    await this.#seat.thread.end();
  }

  #closeDescriptors(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { fuseFd, eventFd } = this.#seat;
    const { descriptors } = this.#options.system;
    descriptors.close(fuseFd);
    descriptors.close(eventFd);
  }

  /** From now on the thread does plain reads and writes of the device by itself. Answers the size of what it was given. */
  attach(key: number, device: MappedDevice): number {
    if (this.#isEnded || this.#links.has(key)) return 0;
    const link = new StackLink({
      device,
      post: (plan) => this.#port.postMessage({ kind: 'plan', key, plan } satisfies ToWorker),
      postForget: () => this.#port.postMessage({ kind: 'forget', key } satisfies ToWorker),
      ring: () => this.#ring(),
    });
    this.#links.set(key, link);
    const { plan } = link;
    this.#post({ kind: 'attach', key, gate: link.gate.memory, plan });
    link.open();
    return plan.devices.reduce((sum, { rows }) => sum + rows.length, 0);
  }

  /** Resolves when the thread does no I/O of the device; it does none until the function that it answers is called. */
  async pause(key: number): Promise<() => void> {
    return (await this.#links.get(key)?.pause()) ?? (() => {});
  }

  /** Nobody has the device open here any more. Until the thread is out of it, it cannot be attached again. */
  async detach(key: number): Promise<void> {
    const link = this.#links.get(key);
    if (link === undefined) return;
    await link.end();
    this.#post({ kind: 'detach', key });
    this.#links.delete(key);
  }

  /** Whether the thread is doing the same piece of I/O as when this was asked last. */
  isStuck(): boolean {
    const progress = Atomics.load(this.#progress, 0);
    const isSame = progress === this.#seenProgress;
    this.#seenProgress = progress;
    return isSame && [...this.#links.values()].some(({ gate }) => gate.isInside);
  }

  /** Takes the requests that wait, for the main thread, which never waits for a disk. */
  takeOver(): void {
    const buffer = new Uint8Array(REQUEST_BUFFER_BYTES);
    for (let count = 0; count < TAKE_OVER_LIMIT && !this.#isClosed; count += 1) {
      const lengthBytes = this.#tryTake(buffer);
      if (lengthBytes === 0) return;
      this.#execute(buffer.slice(0, lengthBytes), null);
    }
  }

  /** 0: there is none, or it was given up while it was handed out. Whatever is wrong with the queue its thread finds out. */
  #tryTake(buffer: Uint8Array): number {
    try {
      return readSync(this.#seat.fuseFd, buffer);
    } catch {
      return 0;
    }
  }

  #post(message: ToWorker): void {
    if (this.#isEnded) return;
    this.#port.postMessage(message);
    this.#ring();
  }

  #ring(): void {
    if (this.#isEnded) return;
    this.#mailbox.signal(Signal.message);
    this.#options.system.descriptors.eventAdd(this.#seat.eventFd, 1);
  }

  #receiveRest(): void {
    if (this.#isEnded) return;
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: FromWorker } | undefined;
      if (received === undefined) return;
      this.#receive(received.message);
    }
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'request':
        this.#execute(message.bytes, message.id);
        break;
      case 'planned':
        this.#links.get(message.key)?.planned();
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

  #execute(bytes: Uint8Array, id: number | null): void {
    const startMs = systemClock.nowMs();
    this.#options.execute(bytes, (reply) => {
      const isTaken = this.#reply(reply);
      if (id !== null) {
        this.#post({ kind: 'answered', id, durationMs: systemClock.nowMs() - startMs });
      }
      return isTaken;
    });
  }

  /** A reply never waits. It may come too late: the thread with its queue is gone, or the file system unmounted. */
  #reply(reply: Uint8Array | null): boolean {
    if (reply === null) return true;
    if (this.#isClosed) return false;
    try {
      writeSync(this.#seat.fuseFd, reply);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const isLate = code === 'ENOENT' || code === 'ENODEV' || code === 'EPERM';
      if (!isLate) this.#options.report(`/dev/fuse refuses a reply: ${code}`);
      return false;
    }
  }

  #end(reason: string | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#port.close();
    for (const link of this.#links.values()) link.abandon();
    this.#links.clear();
    for (const resolve of this.#pings.values()) resolve();
    this.#pings.clear();
    this.#resolveEnded(reason);
  }
}
