/**
 * One NBD connection on a worker thread: receives requests, does plain reads and writes on its copy of the stack,
 * and hands everything else to the main thread.
 *
 * Invariants
 * - Every request is answered exactly once: here, or by a `replies` message of the main thread.
 * - I/O on the copy happens only inside the gate; sending never does, so that a slow client cannot hold up a suspend.
 */

import { receiveMessageOnPort } from 'node:worker_threads';
import { systemClock } from '../../../base/clock.ts';
import { Errno, errnoName } from '../../../base/errors.ts';
import { Command, EXTENDED_REQUEST_BYTES } from '../../../protocols/nbd/constants.ts';
import type { System } from '../../../system/index.ts';
import type { PinnedBuffer } from '../../../system/pinned-buffer.ts';
import { MessageFlag } from '../../../system/socket-calls.ts';
import { Gate } from '../../data-plane/gate.ts';
import type { SlowDisk } from '../../data-plane/slow-disk.ts';
import { Forwarding } from './forwarding.ts';
import { InputBuffer } from './input-buffer.ts';
import type { FromWorker, StartMessage, ToWorker, WorkerCounters } from './messages.ts';
import { OutputBuffer } from './output-buffer.ts';
import { PlainRequests, REPLY_HEADER_BYTES } from './plain-requests.ts';
import { RequestBatch } from './request-batch.ts';
import { Waiter } from './waiter.ts';
import { createWire, type Wire } from './wire.ts';

/** What is thrown away at a time while the client takes its leave. */
const HANG_UP_BYTES = 64 * 1024;

/** Memory that one connection after the other uses. */
export interface ConnectionBuffers {
  input: PinnedBuffer;
  output: PinnedBuffer;
}

/** `shared`: other threads of ours can be told to look at them. V8 copies such memory more slowly. */
export function allocateBuffers(maxPayloadBytes: number, shared: boolean): ConnectionBuffers {
  return {
    input: InputBuffer.allocate(EXTENDED_REQUEST_BYTES + maxPayloadBytes, shared),
    output: OutputBuffer.allocate(REPLY_HEADER_BYTES + maxPayloadBytes, shared),
  };
}

export interface WorkerConnectionOptions {
  start: StartMessage;
  system: System;
  buffers: ConnectionBuffers;
}

export class WorkerConnection {
  readonly #start: StartMessage;
  readonly #system: System;
  readonly #gate: Gate;
  readonly #input: InputBuffer;
  readonly #output: OutputBuffer;
  readonly #waiter: Waiter;
  readonly #wire: Wire;
  readonly #plain: PlainRequests;
  readonly #forwarding: Forwarding;
  /** Handed back, and not posted yet. */
  readonly #batch: RequestBatch;
  /** Set when the connection is over. */
  #ended: { reason: string | null } | null = null;
  /** Set when no more requests are taken: it is over once those under way are answered. */
  #finishing: { reason: string | null } | null = null;
  #requestCount = 0;
  /** Of the request that is not complete yet; 0 before its header is. */
  #partialBytes = 0;
  /** Of a payload that nobody wants, what is still to come. */
  #skipBytes = 0;

  constructor({ start, system, buffers }: WorkerConnectionOptions) {
    const gate = new Gate(start.gate);
    const input = new InputBuffer(buffers.input);
    const output = new OutputBuffer(system, { fd: start.socketFd, pinned: buffers.output });
    const wire = createWire(start.wire);
    this.#start = start;
    this.#system = system;
    this.#gate = gate;
    this.#input = input;
    this.#output = output;
    this.#wire = wire;
    this.#waiter = new Waiter({ ...start, system, gate, nowMs: systemClock.nowMs });
    const onBroken = (reason: string) => this.#end(reason);
    this.#plain = new PlainRequests({ system, start, gate, input, output, wire, onBroken });
    this.#forwarding = new Forwarding(start.limits);
    this.#batch = new RequestBatch(input.pinned.bytes, wire.requestHeaderBytes);
    input.load(start.leftover);
  }

  get counters(): WorkerCounters {
    return {
      requests: this.#requestCount,
      forwarded: this.#forwarding.totalCount,
      spins: this.#waiter.spinCount,
      sleeps: this.#waiter.sleepCount,
      touchedBytes: this.#input.touchedBytes + this.#output.touchedBytes,
    };
  }

  /** Serves until the client leaves; answers why, null for an orderly end. Blocks its thread but for new plans. */
  async run(): Promise<string | null> {
    try {
      return await this.#serveAll();
    } finally {
      await this.#plain.forget();
    }
  }

  async #serveAll(): Promise<string | null> {
    await this.#install(this.#start.plan);
    for (;;) {
      if (this.#gate.signalled) await this.#readMessages();
      this.#consume();
      this.#output.send();
      if (this.#output.error !== 0) {
        this.#end(`the client cannot be written to: ${errnoName(this.#output.error)}`);
      }
      if (this.#ended !== null) return this.#ended.reason;
      if (this.#finishing !== null && this.#forwarding.isIdle) {
        await this.#hangUp();
        return this.#finishing.reason;
      }
      if (!this.#gate.signalled) this.#receive();
    }
  }

  #end(reason: string | null): void {
    this.#ended ??= { reason };
  }

  #finish(reason: string | null): void {
    this.#finishing ??= { reason };
  }

  #post(message: FromWorker, transfer: ArrayBuffer[] = []): void {
    this.#start.port.postMessage(message, transfer);
  }

  async #install(plan: StartMessage['plan']): Promise<void> {
    await this.#plain.install(plan);
    this.#post({ kind: 'planned' });
  }

  async #readMessages(): Promise<void> {
    this.#gate.clearSignal();
    for (;;) {
      const received = receiveMessageOnPort(this.#start.port) as { message: ToWorker } | undefined;
      if (received === undefined) return;
      const { message } = received;
      switch (message.kind) {
        case 'replies':
          message.ids.forEach((id, index) => {
            this.#forwarding.answered(id, message.durationsMs[index]!);
          });
          for (const chunk of message.chunks) this.#output.sendChunk(chunk);
          break;
        case 'plan':
          await this.#install(message.plan);
          break;
        case 'forget':
          await this.#plain.forget();
          break;
        case 'stop':
          this.#finish('the server shut down');
          break;
        case 'disconnect':
          this.#end('the server hung up');
          break;
      }
    }
  }

  get #mustWait(): boolean {
    return this.#finishing !== null || this.#forwarding.isFull;
  }

  #receive(): void {
    if (this.#mustWait) {
      this.#waiter.waitForMessage();
      return;
    }
    const input = this.#input;
    const wanted = input.prepare(this.#partialBytes);
    const mainWorks = !this.#forwarding.isIdle;
    const count = this.#waiter.receive(input.pinned, input.end, wanted, mainWorks);
    if (count > 0) input.received(count);
    // The client may have shut its own half only, and wait for the rest of its answers.
    else if (count === 0)
      this.#finish(input.availableBytes === 0 ? null : 'the client left inside a request');
    else if (count !== -Errno.EAGAIN)
      this.#end(`the client cannot be read from: ${errnoName(-count)}`);
  }

  #consume(): void {
    this.#consumeAll();
    this.#postBatch();
  }

  /** Serves every request that is complete, as long as nothing else needs attention. */
  #consumeAll(): void {
    const input = this.#input;
    const wire = this.#wire;
    const headerBytes = wire.requestHeaderBytes;
    this.#partialBytes = 0;
    while (this.#ended === null && !this.#mustWait) {
      if (this.#skipBytes > 0 && !this.#skip()) return;
      if (input.availableBytes < headerBytes) return;
      const payloadBytes = wire.decode(input.pinned.bytes, input.start);
      if (payloadBytes < 0 || payloadBytes > this.#start.limits.maxPayloadBytes) {
        if (!this.#refusePayload(payloadBytes)) return;
        continue;
      }
      if (input.availableBytes < headerBytes + payloadBytes) {
        this.#plain.stream(payloadBytes);
        this.#partialBytes = headerBytes + payloadBytes;
        return;
      }
      this.#serve(payloadBytes);
      input.consume(headerBytes + payloadBytes);
      if (this.#output.isFull) this.#output.send();
      if (this.#gate.signalled) return;
    }
  }

  #serve(payloadBytes: number): void {
    this.#requestCount += 1;
    if (this.#wire.request.command === Command.disconnect) this.#finish(null);
    else if (!this.#plain.serve()) this.#forward(payloadBytes, this.#plain.slowDisk);
    // What was handed back need not wait for more of what this thread does.
    else this.#postBatch();
  }

  /** False when the connection cannot go on; otherwise the main thread refuses the request and its payload is skipped. */
  #refusePayload(payloadBytes: number): boolean {
    const { extendedHeaders } = this.#start.wire;
    // The protocol wants a hang-up for extended headers; else for what can only be an attack.
    const limit = extendedHeaders ? 0 : 2 * this.#start.limits.maxPayloadBytes;
    if (payloadBytes < 0) this.#end('the client sent bytes that are not a request');
    else if (payloadBytes > limit) this.#end(`the client sent a payload of ${payloadBytes} bytes`);
    if (this.#ended !== null) return false;
    this.#requestCount += 1;
    this.#forward(0, null);
    this.#input.consume(this.#wire.requestHeaderBytes);
    this.#skipBytes = payloadBytes;
    return true;
  }

  #skip(): boolean {
    const countBytes = Math.min(this.#skipBytes, this.#input.availableBytes);
    this.#input.consume(countBytes);
    this.#skipBytes -= countBytes;
    return this.#skipBytes === 0;
  }

  #forward(payloadBytes: number, slowDisk: SlowDisk | null): void {
    const id = this.#forwarding.add(this.#wire.request, payloadBytes, slowDisk);
    this.#batch.add(id, this.#input.start, payloadBytes);
    if (this.#batch.isFull) this.#postBatch();
  }

  #postBatch(): void {
    const message = this.#batch.take();
    if (message !== null) this.#post(message, [message.bytes.buffer]);
  }

  /** Everything is answered. A socket that is closed with input unread may take the last answers back, so the client goes first. */
  async #hangUp(): Promise<void> {
    const { socketFd, eventFd, limits } = this.#start;
    const { sockets, descriptors } = this.#system;
    const { pinned } = this.#input;
    const endMs = systemClock.nowMs() + limits.lingerMs;
    sockets.shutdown(socketFd, 'write');
    for (;;) {
      if (this.#gate.signalled) await this.#readMessages();
      if (this.#ended !== null) return;
      const count = sockets.recv(socketFd, pinned, 0, HANG_UP_BYTES, MessageFlag.dontWait);
      if (count > 0) continue;
      const leftMs = Math.ceil(endMs - systemClock.nowMs());
      if (count !== -Errno.EAGAIN || leftMs <= 0) return;
      if (descriptors.waitReadable([socketFd, eventFd], leftMs) > 1) descriptors.eventTake(eventFd);
    }
  }
}
