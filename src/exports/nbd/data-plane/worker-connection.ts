/**
 * One NBD connection on a worker thread: receives requests, does plain reads and writes on its copy of the stack,
 * and hands everything else to the main thread.
 *
 * Invariants
 * - Every request is answered exactly once: here, or by a `reply` message of the main thread.
 * - I/O on the copy happens only inside the gate; sending never does, so that a slow client cannot hold up a suspend.
 */

import { receiveMessageOnPort } from 'node:worker_threads';
import { assert } from '../../../base/assert.ts';
import { systemClock } from '../../../base/clock.ts';
import { Errno, errnoName } from '../../../base/errors.ts';
import { SECTOR_BYTES } from '../../../base/units.ts';
import { Bio, Op } from '../../../core/bio.ts';
import type { MappedDevice } from '../../../core/mapped-device.ts';
import { Command, CommandFlag, EXTENDED_REQUEST_BYTES } from '../../../protocols/nbd/constants.ts';
import type { System } from '../../../system/index.ts';
import { Gate } from './gate.ts';
import { InputBuffer } from './input-buffer.ts';
import type { FromWorker, StartMessage, ToWorker, WorkerCounters } from './messages.ts';
import { OutputBuffer } from './output-buffer.ts';
import type { Plan } from './plan.ts';
import { createReplica } from './replica.ts';
import { Waiter } from './waiter.ts';
import { createWire, type Wire } from './wire.ts';

/** Room for the longest reply header there is, with slack. */
const REPLY_HEADER_BYTES = 64;

export class WorkerConnection {
  readonly #start: StartMessage;
  readonly #system: System;
  readonly #gate: Gate;
  readonly #input: InputBuffer;
  readonly #output: OutputBuffer;
  readonly #waiter: Waiter;
  readonly #wire: Wire;
  readonly #bio = new Bio();
  #bioEnded = false;
  readonly #onBioEnd = () => {
    this.#bioEnded = true;
  };
  #device: MappedDevice | null = null;
  #sizeBytes = 0;
  #blockBytes = SECTOR_BYTES;
  #forwardedRequests = 0;
  #forwardedBytes = 0;
  /** Set when the connection is over; null while it goes on. */
  #ended: { reason: string | null } | null = null;
  #requestCount = 0;
  #forwardedCount = 0;
  /** Of the request that is not complete yet; 0 before its header is. */
  #partialBytes = 0;

  constructor(start: StartMessage, system: System) {
    const { maxPayloadBytes } = start.limits;
    this.#start = start;
    this.#system = system;
    this.#gate = new Gate(start.gate);
    this.#input = new InputBuffer(EXTENDED_REQUEST_BYTES + maxPayloadBytes);
    this.#output = new OutputBuffer(
      system.sockets,
      start.socketFd,
      REPLY_HEADER_BYTES + maxPayloadBytes,
    );
    this.#waiter = new Waiter({ ...start, system, gate: this.#gate, nowMs: systemClock.nowMs });
    this.#wire = createWire(start.wire);
    this.#input.load(start.leftover);
  }

  get counters(): WorkerCounters {
    return {
      requests: this.#requestCount,
      forwarded: this.#forwardedCount,
      spins: this.#waiter.spinCount,
      sleeps: this.#waiter.sleepCount,
    };
  }

  /** Serves until the client leaves; answers why, null for an orderly end. Blocks its thread but for new plans. */
  async run(): Promise<string | null> {
    await this.#install(this.#start.plan);
    while (this.#ended === null) {
      if (this.#gate.signalled) await this.#readMessages();
      this.#consume();
      this.#send();
      if (this.#ended === null && !this.#gate.signalled) this.#receive();
    }
    return this.#ended.reason;
  }

  #end(reason: string | null): void {
    this.#ended ??= { reason };
  }

  async #install(plan: Plan): Promise<void> {
    const device = await createReplica(plan, {
      files: this.#system.files,
      space: this.#system.space,
      clock: systemClock,
      nowMs: systemClock.nowMs,
      buffers: [this.#output.pinned, this.#input.pinned],
    });
    this.#device = device;
    this.#sizeBytes = device.sizeSectors * SECTOR_BYTES;
    this.#blockBytes = plan.logicalBlockBytes;
  }

  async #readMessages(): Promise<void> {
    this.#gate.clearSignal();
    for (;;) {
      const received = receiveMessageOnPort(this.#start.port) as { message: ToWorker } | undefined;
      if (received === undefined) return;
      const { message } = received;
      if (message.kind === 'plan') await this.#install(message.plan);
      else this.#sendReply(message);
    }
  }

  #sendReply(reply: Extract<ToWorker, { kind: 'reply' }>): void {
    this.#forwardedRequests -= 1;
    this.#forwardedBytes -= reply.payloadBytes;
    for (const chunk of reply.chunks) {
      const error = this.#output.sendChunk(chunk);
      if (error !== 0) this.#end(`the client cannot be written to: ${errnoName(error)}`);
    }
  }

  #send(): void {
    if (this.#output.usedBytes === 0) return;
    const error = this.#output.send();
    if (error !== 0) this.#end(`the client cannot be written to: ${errnoName(error)}`);
  }

  get #mustWait(): boolean {
    const { maxForwardedRequests, maxForwardedBytes } = this.#start.limits;
    return (
      this.#forwardedRequests >= maxForwardedRequests || this.#forwardedBytes >= maxForwardedBytes
    );
  }

  #receive(): void {
    if (this.#mustWait) {
      this.#waiter.waitForMessage();
      return;
    }
    const input = this.#input;
    const wanted = input.prepare(this.#partialBytes);
    const count = this.#waiter.receive(input.pinned, input.end, wanted);
    if (count > 0) input.received(count);
    else if (count === 0)
      this.#end(input.availableBytes === 0 ? null : 'the client left inside a request');
    else if (count !== -Errno.EAGAIN)
      this.#end(`the client cannot be read from: ${errnoName(-count)}`);
  }

  /** Serves every request that is complete, as long as nothing else needs attention. */
  #consume(): void {
    const input = this.#input;
    const wire = this.#wire;
    const headerBytes = wire.requestHeaderBytes;
    this.#partialBytes = 0;
    while (this.#ended === null && input.availableBytes >= headerBytes && !this.#mustWait) {
      const payloadBytes = wire.decode(input.pinned.bytes, input.start);
      if (payloadBytes < 0 || payloadBytes > this.#start.limits.maxPayloadBytes) {
        this.#end(describeBadRequest(payloadBytes));
        return;
      }
      if (input.availableBytes < headerBytes + payloadBytes) {
        this.#partialBytes = headerBytes + payloadBytes;
        return;
      }
      this.#serve(payloadBytes);
      input.consume(headerBytes + payloadBytes);
      if (this.#output.isFull) this.#send();
      if (this.#gate.signalled) return;
    }
  }

  #serve(payloadBytes: number): void {
    const { command } = this.#wire.request;
    this.#requestCount += 1;
    if (command === Command.disconnect) this.#end(null);
    else if (command === Command.read && this.#isPlain(CommandFlag.df))
      this.#serveRead(payloadBytes);
    else if (
      command === Command.write &&
      !this.#start.readOnly &&
      this.#isPlain(CommandFlag.payloadLength)
    ) {
      this.#serveWrite(payloadBytes);
    } else this.#forward(payloadBytes);
  }

  /** Whether nothing is special about the request; everything else the main thread judges. */
  #isPlain(allowedFlags: number): boolean {
    const { flags, offsetBytes, lengthBytes } = this.#wire.request;
    const blockBytes = this.#blockBytes;
    return (
      (flags & ~allowedFlags) === 0 &&
      lengthBytes > 0 &&
      lengthBytes <= this.#start.limits.maxPayloadBytes &&
      offsetBytes + lengthBytes <= this.#sizeBytes &&
      lengthBytes % blockBytes === 0 &&
      offsetBytes % blockBytes === 0
    );
  }

  #serveRead(payloadBytes: number): void {
    const output = this.#output;
    const wire = this.#wire;
    const { lengthBytes } = wire.request;
    if (!output.hasRoom(REPLY_HEADER_BYTES + lengthBytes)) this.#send();
    const at = output.usedBytes;
    if (this.#runBio(Op.read, output.pinned.bytes, at + wire.readHeaderBytes)) {
      wire.encodeRead(output.pinned.bytes, at);
      output.commit(wire.readHeaderBytes + lengthBytes);
    } else {
      this.#forward(payloadBytes);
    }
  }

  #serveWrite(payloadBytes: number): void {
    const output = this.#output;
    const { pinned, start } = this.#input;
    if (!output.hasRoom(REPLY_HEADER_BYTES)) this.#send();
    if (this.#runBio(Op.write, pinned.bytes, start + this.#wire.requestHeaderBytes)) {
      output.commit(this.#wire.encodeDone(output.pinned.bytes, output.usedBytes));
    } else {
      this.#forward(payloadBytes);
    }
  }

  /**
   * Runs the request inside the gate. False: the gate is shut, a new plan waits, or it did not work here; the main thread
   * does it again from the start, and if it fails there too, says so.
   */
  #runBio(op: Op, data: Uint8Array, dataOffset: number): boolean {
    if (!this.#gate.enter()) return false;
    if (this.#gate.signalled) {
      this.#gate.leave();
      return false;
    }
    const { offsetBytes, lengthBytes } = this.#wire.request;
    const bio = this.#bio;
    bio.op = op;
    bio.flags = 0;
    bio.device = this.#device;
    bio.sector = offsetBytes / SECTOR_BYTES;
    bio.sectorCount = lengthBytes / SECTOR_BYTES;
    bio.data = data;
    bio.dataOffset = dataOffset;
    bio.startMs = 0;
    bio.endMs = 0;
    bio.onEnd = this.#onBioEnd;
    this.#bioEnded = false;
    this.#device!.submit(bio);
    this.#gate.leave();
    assert(this.#bioEnded, 'a bio on a copy ends before submit returns');
    return bio.error === 0;
  }

  #forward(payloadBytes: number): void {
    const { pinned, start } = this.#input;
    const payloadAt = start + this.#wire.requestHeaderBytes;
    const header = pinned.bytes.slice(start, payloadAt);
    const payload =
      payloadBytes > 0 ? pinned.bytes.slice(payloadAt, payloadAt + payloadBytes) : null;
    const transfer = payload ? [header.buffer, payload.buffer] : [header.buffer];
    const message: FromWorker = { kind: 'request', header, payload };
    this.#start.port.postMessage(message, transfer);
    this.#forwardedRequests += 1;
    this.#forwardedBytes += payloadBytes;
    this.#forwardedCount += 1;
  }
}

function describeBadRequest(payloadBytes: number): string {
  return payloadBytes < 0
    ? 'the client sent bytes that are not a request'
    : `the client sent a payload of ${payloadBytes} bytes`;
}
