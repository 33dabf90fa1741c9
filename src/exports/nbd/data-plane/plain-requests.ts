/**
 * Reads and writes that nothing is special about, done on the worker's copy of the stack: from the input buffer, into the output
 * buffer. Whatever it does not want or cannot do is the main thread's, from the start.
 */

import { Command, CommandFlag } from '../../../protocols/nbd/constants.ts';
import type { System } from '../../../system/index.ts';
import type { Gate } from '../../data-plane/gate.ts';
import type { Plan } from '../../data-plane/plan.ts';
import { type ByteRange, ReplicaRunner } from '../../data-plane/replica-runner.ts';
import type { SlowDisk } from '../../data-plane/slow-disk.ts';
import { FileSender } from './file-sender.ts';
import type { InputBuffer } from './input-buffer.ts';
import type { StartMessage } from './messages.ts';
import type { OutputBuffer } from './output-buffer.ts';
import type { Wire } from './wire.ts';

/** Room for the longest reply without data. */
export const REPLY_HEADER_BYTES = 256;
/** Reads from here on are sent from the page cache where that may be; smaller ones are cheaper to copy. */
const SEND_FILE_BYTES = 64 * 1024;
/** Writes from here on are written as they arrive, while the bytes are still in the processor's cache. */
const STREAM_BYTES = 128 * 1024;

export interface PlainRequestsOptions {
  system: System;
  start: StartMessage;
  gate: Gate;
  input: InputBuffer;
  output: OutputBuffer;
  wire: Wire;
  /** A reply cannot be completed in the form that was agreed on: the connection must end. */
  onBroken(reason: string): void;
}

export class PlainRequests {
  readonly #options: PlainRequestsOptions;
  readonly #input: InputBuffer;
  readonly #output: OutputBuffer;
  readonly #wire: Wire;
  readonly #replica: ReplicaRunner;
  readonly #sender: FileSender;
  readonly #readOnly: boolean;
  readonly #maxPayloadBytes: number;
  /** Reads from here on are sent from the files. */
  readonly #sendFileBytes: number;
  /** Flags that a read may have, and those that a write must have. */
  readonly #readFlags: number;
  readonly #writeFlags: number;
  readonly #part: ByteRange = { offsetBytes: 0, lengthBytes: 0 };
  /** Of the write that is not complete yet, what is on the copy's disks already. */
  #streamedBytes = 0;
  /** A part of the write failed: the rest waits for its end. */
  #streamFailed = false;

  constructor(options: PlainRequestsOptions) {
    const { system, start, gate, input, output, wire } = options;
    const { structuredReplies, extendedHeaders } = start.wire;
    this.#options = options;
    this.#input = input;
    this.#output = output;
    this.#wire = wire;
    this.#readOnly = start.readOnly;
    this.#maxPayloadBytes = start.limits.maxPayloadBytes;
    this.#sendFileBytes = start.lendsFiles ? SEND_FILE_BYTES : Number.POSITIVE_INFINITY;
    this.#readFlags = structuredReplies || extendedHeaders ? CommandFlag.df : 0;
    this.#writeFlags = extendedHeaders ? CommandFlag.payloadLength : 0;
    this.#replica = new ReplicaRunner(system, gate, [output.pinned, input.pinned]);
    this.#sender = new FileSender({ system, socketFd: start.socketFd, gate, output });
  }

  /** What is written of a request so far may lie on other disks than those of the new plan: it is written again. */
  async install(plan: Plan): Promise<void> {
    await this.#replica.install(plan);
    this.#endStream();
  }

  /** Drops the copy, with the keys in it, until there is another plan. */
  async forget(): Promise<void> {
    await this.#replica.close();
    this.#endStream();
  }

  /** The disk that was too slow for the request that `serve` refused last, if that was why. */
  get slowDisk(): SlowDisk | null {
    return this.#replica.slowDisk;
  }

  /** Does the request decoded last, which lies complete at the start of the input. False: it is the main thread's. */
  serve(): boolean {
    if (this.#streamedBytes === 0) this.#replica.begin();
    const served = this.#isPlain() && this.#serve();
    this.#endStream();
    return served;
  }

  /**
   * Writes what has come of a long payload, if that is worth it. A client that dies inside the request leaves a part of it
   * written, as a power cut would; the bytes stay in the input buffer in case that the rest does not work out.
   */
  stream(payloadBytes: number): void {
    if (payloadBytes < STREAM_BYTES || this.#streamFailed || !this.#isPlain()) return;
    const input = this.#input;
    const streamed = this.#streamedBytes;
    const payloadAt = this.#wire.requestHeaderBytes + streamed;
    const lengthBytes = this.#replica.wholeBlocks(input.availableBytes - payloadAt);
    if (lengthBytes < STREAM_BYTES) return;
    if (streamed === 0) this.#replica.begin();
    const part = this.#partAt(streamed, lengthBytes);
    if (this.#replica.write(part, input.pinned.bytes, input.start + payloadAt)) {
      this.#streamedBytes = streamed + lengthBytes;
    } else {
      this.#streamedBytes = 0;
      this.#streamFailed = true;
    }
  }

  #endStream(): void {
    this.#streamedBytes = 0;
    this.#streamFailed = false;
  }

  #partAt(skipBytes: number, lengthBytes: number): ByteRange {
    const part = this.#part;
    part.offsetBytes = this.#wire.request.offsetBytes + skipBytes;
    part.lengthBytes = lengthBytes;
    return part;
  }

  #isPlain(): boolean {
    const { request } = this.#wire;
    if (request.command === Command.read) {
      if ((request.flags & ~this.#readFlags) !== 0) return false;
    } else if (request.command !== Command.write) {
      return false;
    } else if (this.#readOnly || request.flags !== this.#writeFlags) {
      return false;
    }
    return request.lengthBytes <= this.#maxPayloadBytes && this.#replica.accepts(request);
  }

  #serve(): boolean {
    const { request } = this.#wire;
    if (request.command === Command.write) return this.#write();
    if (request.lengthBytes >= this.#sendFileBytes && this.#sendFromFiles()) return true;
    return this.#read();
  }

  #read(): boolean {
    const output = this.#output;
    const wire = this.#wire;
    const { lengthBytes } = wire.request;
    if (!output.hasRoom(REPLY_HEADER_BYTES + lengthBytes)) output.send();
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
    const streamed = this.#streamedBytes;
    const { request } = wire;
    const range = streamed === 0 ? request : this.#partAt(streamed, request.lengthBytes - streamed);
    const at = start + wire.requestHeaderBytes + streamed;
    if (!this.#replica.write(range, pinned.bytes, at)) return false;
    if (!output.hasRoom(REPLY_HEADER_BYTES)) output.send();
    output.commit(wire.encodeDone(output.pinned.bytes, output.usedBytes));
    return true;
  }

  /** False before anything of the reply is sent. */
  #sendFromFiles(): boolean {
    const output = this.#output;
    const wire = this.#wire;
    output.send();
    if (!this.#replica.locate(wire.request)) return false;
    wire.encodeRead(output.pinned.bytes, 0, false);
    output.commit(wire.readHeaderBytes);
    const missingBytes = this.#sender.send(this.#replica.ranges);
    if (missingBytes > 0) this.#takeBack(missingBytes);
    else output.commit(wire.encodeEnd(output.pinned.bytes, output.usedBytes));
    return true;
  }

  /** The disk gave less than the header said: fills up and says that it failed, or ends the connection where it cannot. */
  #takeBack(missingBytes: number): void {
    const output = this.#output;
    output.sendChunk(new Uint8Array(missingBytes));
    if (!output.hasRoom(REPLY_HEADER_BYTES)) output.send();
    const failureBytes = this.#wire.encodeFailure(output.pinned.bytes, output.usedBytes);
    if (failureBytes === 0) this.#options.onBroken('a disk gave less than it should');
    output.commit(failureBytes);
  }
}
