/**
 * One NBD connection on a worker thread: receives requests, does plain reads and writes on its copy of the stack,
 * and hands everything else to the main thread.
 *
 * Invariants
 * - Every request is answered exactly once: here, or by a `reply` message of the main thread.
 * - I/O on the copy happens only inside the gate; sending never does, so that a slow client cannot hold up a suspend.
 */

import { receiveMessageOnPort } from 'node:worker_threads';
import { systemClock } from '../../../base/clock.ts';
import { Errno, errnoName } from '../../../base/errors.ts';
import { Command, CommandFlag, EXTENDED_REQUEST_BYTES } from '../../../protocols/nbd/constants.ts';
import { encodeRequest } from '../../../protocols/nbd/request.ts';
import type { System } from '../../../system/index.ts';
import { FileSender } from './file-sender.ts';
import { Gate } from './gate.ts';
import { InputBuffer } from './input-buffer.ts';
import type { FromWorker, StartMessage, ToWorker, WorkerCounters } from './messages.ts';
import { OutputBuffer } from './output-buffer.ts';
import { ReplicaRunner } from './replica-runner.ts';
import { Waiter } from './waiter.ts';
import { createWire, type Wire } from './wire.ts';

/** Room for the longest reply without data. */
const REPLY_HEADER_BYTES = 256;
/** Reads from here on are sent from the page cache; smaller ones are cheaper to copy. */
const SEND_FILE_BYTES = 64 * 1024;
/** Writes from here on are written as they arrive, while the bytes are still in the processor's cache. */
const STREAM_BYTES = 128 * 1024;

export class WorkerConnection {
  readonly #start: StartMessage;
  readonly #gate: Gate;
  readonly #input: InputBuffer;
  readonly #output: OutputBuffer;
  readonly #waiter: Waiter;
  readonly #wire: Wire;
  readonly #replica: ReplicaRunner;
  readonly #sender: FileSender;
  #forwardedRequests = 0;
  #forwardedBytes = 0;
  /** Set when the connection is over; null while it goes on. */
  #ended: { reason: string | null } | null = null;
  #stopping = false;
  #requestCount = 0;
  #forwardedCount = 0;
  /** Of the request that is not complete yet; 0 before its header is. */
  #partialBytes = 0;

  constructor(start: StartMessage, system: System) {
    const { socketFd } = start;
    const { maxPayloadBytes } = start.limits;
    this.#start = start;
    this.#gate = new Gate(start.gate);
    this.#input = new InputBuffer(EXTENDED_REQUEST_BYTES + maxPayloadBytes);
    this.#output = new OutputBuffer(system, socketFd, REPLY_HEADER_BYTES + maxPayloadBytes);
    this.#waiter = new Waiter({ ...start, system, gate: this.#gate, nowMs: systemClock.nowMs });
    this.#wire = createWire(start.wire);
    this.#replica = new ReplicaRunner(system, this.#gate, [
      this.#output.pinned,
      this.#input.pinned,
    ]);
    this.#sender = new FileSender({ system, socketFd, gate: this.#gate, output: this.#output });
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
    await this.#replica.install(this.#start.plan);
    while (this.#ended === null) {
      if (this.#gate.signalled) await this.#readMessages();
      if (this.#stopping && this.#forwardedRequests === 0) this.#end('the server shut down');
      this.#consume();
      this.#send();
      if (this.#ended === null && !this.#gate.signalled) this.#receive();
    }
    return this.#ended.reason;
  }

  #end(reason: string | null): void {
    this.#ended ??= { reason };
  }

  async #readMessages(): Promise<void> {
    this.#gate.clearSignal();
    for (;;) {
      const received = receiveMessageOnPort(this.#start.port) as { message: ToWorker } | undefined;
      if (received === undefined) return;
      const { message } = received;
      if (message.kind === 'plan') await this.#replica.install(message.plan);
      else if (message.kind === 'stop') this.#stopping = true;
      else this.#sendReply(message);
    }
  }

  #sendReply(reply: Extract<ToWorker, { kind: 'reply' }>): void {
    this.#forwardedRequests -= 1;
    this.#forwardedBytes -= reply.payloadBytes;
    for (const chunk of reply.chunks) {
      const error = this.#output.sendChunk(chunk);
      if (error !== 0) this.#endUnwritable(error);
    }
  }

  #send(): void {
    if (this.#output.usedBytes === 0) return;
    const error = this.#output.send();
    if (error !== 0) this.#endUnwritable(error);
  }

  #endUnwritable(error: number): void {
    this.#end(`the client cannot be written to: ${errnoName(error)}`);
  }

  get #mustWait(): boolean {
    const { maxForwardedRequests, maxForwardedBytes } = this.#start.limits;
    return (
      this.#stopping ||
      this.#forwardedRequests >= maxForwardedRequests ||
      this.#forwardedBytes >= maxForwardedBytes
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
        if (this.#streams(payloadBytes)) this.#writeWhatIsThere();
        this.#partialBytes = headerBytes + this.#wire.request.lengthBytes;
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
    else if (!this.#isPlain() || !this.#serveHere()) this.#forward(payloadBytes);
  }

  /** A read or write that nothing is special about; everything else the main thread judges. */
  #isPlain(): boolean {
    const { command, flags } = this.#wire.request;
    const isRead = command === Command.read;
    if (!isRead && (command !== Command.write || this.#start.readOnly)) return false;
    const allowedFlags = isRead ? CommandFlag.df : CommandFlag.payloadLength;
    const { request } = this.#wire;
    return (
      (flags & ~allowedFlags) === 0 &&
      request.lengthBytes <= this.#start.limits.maxPayloadBytes &&
      this.#replica.accepts(request)
    );
  }

  /** False when it turns out to need the main thread. */
  #serveHere(): boolean {
    const { request } = this.#wire;
    if (request.command === Command.write) return this.#write();
    if (request.lengthBytes >= SEND_FILE_BYTES && this.#sendFromFiles()) return true;
    return this.#read();
  }

  #read(): boolean {
    const output = this.#output;
    const wire = this.#wire;
    const { lengthBytes } = wire.request;
    if (!output.hasRoom(REPLY_HEADER_BYTES + lengthBytes)) this.#send();
    const at = output.usedBytes;
    const { bytes } = output.pinned;
    if (!this.#replica.read(wire.request, bytes, at + wire.readHeaderBytes)) return false;
    wire.encodeRead(bytes, at, true);
    output.commit(wire.readHeaderBytes + lengthBytes);
    return true;
  }

  #write(): boolean {
    const output = this.#output;
    const { pinned, start } = this.#input;
    const wire = this.#wire;
    if (!this.#replica.write(wire.request, pinned.bytes, start + wire.requestHeaderBytes)) {
      return false;
    }
    if (!output.hasRoom(REPLY_HEADER_BYTES)) this.#send();
    output.commit(wire.encodeDone(output.pinned.bytes, output.usedBytes));
    return true;
  }

  /** False before anything of the reply is sent. */
  #sendFromFiles(): boolean {
    const output = this.#output;
    const wire = this.#wire;
    this.#send();
    if (this.#ended !== null) return true;
    if (!this.#replica.locate(wire.request)) return false;
    wire.encodeRead(output.pinned.bytes, 0, false);
    output.commit(wire.readHeaderBytes);
    const { missingBytes, socketError } = this.#sender.send(this.#replica.ranges);
    if (socketError !== 0) this.#endUnwritable(socketError);
    else if (missingBytes > 0) this.#takeBack(missingBytes);
    else output.commit(wire.encodeEnd(output.pinned.bytes, output.usedBytes));
    return true;
  }

  /** The disk gave less than the header said: fills up and says that it failed, or ends the connection where it cannot. */
  #takeBack(missingBytes: number): void {
    const output = this.#output;
    const error = output.sendChunk(new Uint8Array(missingBytes));
    if (error !== 0) this.#endUnwritable(error);
    if (!output.hasRoom(REPLY_HEADER_BYTES)) this.#send();
    const failureBytes = this.#wire.encodeFailure(output.pinned.bytes, output.usedBytes);
    if (failureBytes === 0) this.#end('a disk gave less than it should');
    output.commit(failureBytes);
  }

  /**
   * Whether the payload may be written piece by piece: a client that dies inside the request leaves a part of it written, as a
   * power cut would. With extended headers the reply repeats the offset, which pieces would change.
   */
  #streams(payloadBytes: number): boolean {
    return payloadBytes >= STREAM_BYTES && !this.#start.wire.extendedHeaders && this.#isPlain();
  }

  /** Writes the part of the payload that has come, and moves the header up so that the rest looks like a request of its own. */
  #writeWhatIsThere(): void {
    const input = this.#input;
    const { request, requestHeaderBytes: headerBytes } = this.#wire;
    const lengthBytes = this.#replica.wholeBlocks(input.availableBytes - headerBytes);
    if (lengthBytes < STREAM_BYTES) return;
    const { bytes } = input.pinned;
    const part = { offsetBytes: request.offsetBytes, lengthBytes };
    if (!this.#replica.write(part, bytes, input.start + headerBytes)) return;
    input.consume(lengthBytes);
    request.offsetBytes += lengthBytes;
    request.lengthBytes -= lengthBytes;
    encodeRequest(bytes, input.start, request);
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
