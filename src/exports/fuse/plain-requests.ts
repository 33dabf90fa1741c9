/**
 * Reads and writes that nothing is special about, done on a worker's copies of stacks: out of the request's own memory, or into
 * the reply's. Whatever this does not want or cannot do is the main thread's, from the start.
 */

import { FormatError } from '../../base/errors.ts';
import {
  MAX_IO_BYTES,
  Opcode,
  OpenFlag,
  REPLY_HEADER_BYTES,
} from '../../protocols/fuse/constants.ts';
import { encodeReplyHeader, encodeWritten, WRITTEN_BYTES } from '../../protocols/fuse/reply.ts';
import {
  createHeader,
  createIoBody,
  decodeHeader,
  decodeIo,
  WRITE_DATA_OFFSET,
} from '../../protocols/fuse/request.ts';
import type { System } from '../../system/index.ts';
import { PinnedBuffer } from '../../system/pinned-buffer.ts';
import type { Gate } from '../data-plane/gate.ts';
import type { Plan } from '../data-plane/plan.ts';
import { ReplicaRunner } from '../data-plane/replica-runner.ts';
import type { SlowDisk } from '../data-plane/slow-disk.ts';
import { deviceKeyOf } from './nodes.ts';

export interface PlainRequestsOptions {
  system: System;
  fuseFd: number;
  /** Where requests are read into. */
  input: PinnedBuffer;
}

interface Copy {
  gate: Gate;
  runner: ReplicaRunner;
}

export class PlainRequests {
  readonly #system: System;
  readonly #fuseFd: number;
  readonly #input: PinnedBuffer;
  readonly #output = PinnedBuffer.allocate(REPLY_HEADER_BYTES + MAX_IO_BYTES);
  readonly #header = createHeader();
  readonly #body = createIoBody();
  /** By device key. */
  readonly #copies = new Map<number, Copy>();
  #slowDisk: SlowDisk | null = null;

  constructor({ system, fuseFd, input }: PlainRequestsOptions) {
    this.#system = system;
    this.#fuseFd = fuseFd;
    this.#input = input;
  }

  /** The disk that was too slow for the request that `serve` refused last, if that was why. */
  get slowDisk(): SlowDisk | null {
    return this.#slowDisk;
  }

  /** Of that request. */
  get lengthBytes(): number {
    return this.#body.lengthBytes;
  }

  attach(key: number, gate: Gate): void {
    const runner = new ReplicaRunner(this.#system, gate, [this.#output, this.#input]);
    this.#copies.set(key, { gate, runner });
  }

  async install(key: number, plan: Plan): Promise<void> {
    await this.#copies.get(key)?.runner.install(plan);
  }

  /** Drops the copy, with the keys in it, until there is another plan. */
  async forget(key: number): Promise<void> {
    await this.#copies.get(key)?.runner.close();
  }

  async detach(key: number): Promise<void> {
    const copy = this.#copies.get(key);
    this.#copies.delete(key);
    await copy?.runner.close();
  }

  async close(): Promise<void> {
    for (const key of [...this.#copies.keys()]) await this.detach(key);
  }

  clearSignals(): void {
    for (const { gate } of this.#copies.values()) gate.clearSignal();
  }

  /** Does the request of `countBytes` at the start of the input and replies. False: it is the main thread's. */
  serve(countBytes: number): boolean {
    this.#slowDisk = null;
    const { view } = this.#input;
    const opcode = view.getUint32(4, true);
    const isWrite = opcode === Opcode.write;
    if (!isWrite && opcode !== Opcode.read) return false;
    // The main thread says what is wrong with it.
    if (!this.#decode(view, countBytes, isWrite)) return false;
    const runner = this.#copies.get(deviceKeyOf(this.#header.nodeId))?.runner;
    if (runner === undefined || !runner.accepts(this.#body)) return false;
    runner.begin();
    const done = isWrite ? this.#write(runner) : this.#read(runner);
    if (!done) this.#slowDisk = runner.slowDisk;
    return done;
  }

  #decode(view: DataView, countBytes: number, isWrite: boolean): boolean {
    try {
      decodeHeader(view, countBytes, this.#header);
      decodeIo(view, countBytes, isWrite, this.#body);
      return true;
    } catch (error) {
      if (error instanceof FormatError) return false;
      throw error;
    }
  }

  #read(runner: ReplicaRunner): boolean {
    const { lengthBytes } = this.#body;
    if (lengthBytes > MAX_IO_BYTES) return false;
    if (!runner.read(this.#body, this.#output.bytes, REPLY_HEADER_BYTES)) return false;
    this.#reply(REPLY_HEADER_BYTES + lengthBytes);
    return true;
  }

  #write(runner: ReplicaRunner): boolean {
    if ((this.#body.openFlags & OpenFlag.dataSync) !== 0) return false;
    if (!runner.write(this.#body, this.#input.bytes, WRITE_DATA_OFFSET)) return false;
    encodeWritten(this.#output.view, this.#body.lengthBytes);
    this.#reply(WRITTEN_BYTES);
    return true;
  }

  /** Never waits. It may come too late (the program was killed, the file system unmounted), and then nobody misses it. */
  #reply(lengthBytes: number): void {
    encodeReplyHeader(this.#output.view, lengthBytes, 0, this.#header);
    this.#system.descriptors.write(this.#fuseFd, this.#output, 0, lengthBytes);
  }
}
