/**
 * One connection that a worker serves, seen from the main thread: keeps its plan up to date, shuts its gate while a device of the
 * stack is suspended, and executes what the worker hands back.
 */

import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { assert } from '../../../base/assert.ts';
import type { Bypass, MappedDevice } from '../../../core/mapped-device.ts';
import { IoStatistics, STATISTICS_BYTES } from '../../../core/statistics.ts';
import { MAX_PAYLOAD_BYTES, TransmissionFlag } from '../../../protocols/nbd/constants.ts';
import {
  createRequest,
  decodeExtendedRequest,
  decodeRequest,
} from '../../../protocols/nbd/request.ts';
import type { System } from '../../../system/index.ts';
import { Executor, type RequestUnderWay } from '../executor.ts';
import type { NbdSession } from '../session.ts';
import { Gate } from './gate.ts';
import type { FromWorker, StartMessage, ToWorker, WorkerCounters } from './messages.ts';
import { buildPlan, type Plan } from './plan.ts';

export interface PlaneConnectionOptions {
  system: System;
  worker: Worker;
  /** The connection's from now on: closed when it is over. */
  socketFd: number;
  leftover: Uint8Array;
  session: NbdSession;
  device: MappedDevice;
  spinMicroseconds: number;
}

export interface ConnectionEnd {
  /** null: the client left in order. */
  reason: string | null;
  counters: WorkerCounters | null;
  /** The thread can serve another connection. */
  workerAlive: boolean;
}

const MAX_FORWARDED_REQUESTS = 128;
const MAX_FORWARDED_BYTES = 2 * MAX_PAYLOAD_BYTES;
/** Chunks above this are moved to the worker instead of copied, when nobody else can see their memory. */
const MOVE_BYTES = 16 * 1024;

export class PlaneConnection {
  readonly ended: Promise<ConnectionEnd>;
  readonly #options: PlaneConnectionOptions;
  readonly #gate = new Gate();
  readonly #port: MessagePort;
  readonly #eventFd: number;
  readonly #executor: Executor;
  /** What each mapped device of the stack knows this connection as. */
  #bypasses = new Map<MappedDevice, StackBypass>();
  /** Devices of the stack that are suspended now; the gate is open while there is none. */
  readonly #held = new Set<MappedDevice>();
  #resolveEnded!: (end: ConnectionEnd) => void;
  #isOver = false;
  readonly #onExit = () =>
    this.#finish({ reason: 'its thread died', counters: null, workerAlive: false });

  constructor(options: PlaneConnectionOptions) {
    const { system, worker, socketFd, session } = options;
    this.#options = options;
    this.#executor = new Executor(session);
    this.#eventFd = system.descriptors.createEvent({ nonblocking: true });
    assert(this.#eventFd >= 0, 'an event descriptor can be made');
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', (message: FromWorker) => this.#receive(message));
    worker.once('exit', this.#onExit);
    const start: StartMessage = {
      port: port2,
      socketFd,
      eventFd: this.#eventFd,
      gate: this.#gate.memory,
      leftover: options.leftover,
      wire: {
        structuredReplies: session.structuredReplies,
        extendedHeaders: session.extendedHeaders,
      },
      readOnly: (session.transmissionFlags & TransmissionFlag.readOnly) !== 0,
      plan: this.#renewPlan(),
      spinMicroseconds: options.spinMicroseconds,
      limits: {
        maxPayloadBytes: MAX_PAYLOAD_BYTES,
        maxForwardedRequests: MAX_FORWARDED_REQUESTS,
        maxForwardedBytes: MAX_FORWARDED_BYTES,
      },
    };
    worker.postMessage(start, [port2]);
    this.#openIfFree();
  }

  /** Requests under way are answered, later ones are not taken. A client that takes no answers needs `disconnect`. */
  stop(): void {
    this.#post({ kind: 'stop' });
  }

  /** Requests that the worker handed back and that are not answered. */
  underWay(): RequestUnderWay[] {
    return this.#executor.underWay();
  }

  get exportName(): string {
    return this.#options.session.export.name;
  }

  /** Makes the worker's next system call on the socket fail, which ends the connection. */
  disconnect(): void {
    if (!this.#isOver) this.#options.system.sockets.shutdown(this.#options.socketFd, 'both');
  }

  /** Describes the stack as it is now and attaches to exactly the devices in it. */
  #renewPlan(): Plan {
    const { plan, devices } = buildPlan(this.#options.device);
    const old = this.#bypasses;
    this.#bypasses = new Map();
    for (const [device, bypass] of old) device.detachBypass(bypass);
    this.#held.clear();
    for (const [index, device] of devices.entries()) {
      const statistics = new IoStatistics(plan.statistics, index * STATISTICS_BYTES);
      const bypass = new StackBypass(this, device, statistics);
      this.#bypasses.set(device, bypass);
      device.attachBypass(bypass);
    }
    return plan;
  }

  /** A device of the stack is being suspended. */
  async hold(device: MappedDevice): Promise<void> {
    this.#held.add(device);
    await this.#gate.shut();
  }

  /** A device of the stack runs again, perhaps with another table. */
  release(): void {
    if (this.#isOver) return;
    const plan = this.#renewPlan();
    if (this.#held.size > 0) return;
    this.#post({ kind: 'plan', plan });
    this.#gate.open();
  }

  #openIfFree(): void {
    if (this.#held.size === 0) this.#gate.open();
  }

  #post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    if (this.#isOver) return;
    this.#port.postMessage(message, transfer);
    this.#gate.signal();
    this.#options.system.descriptors.eventAdd(this.#eventFd, 1);
  }

  #receive(message: FromWorker): void {
    if (message.kind === 'request') this.#execute(message.header, message.payload);
    else this.#finish({ reason: message.reason, counters: message.counters, workerAlive: true });
  }

  #execute(header: Uint8Array, payload: Uint8Array | null): void {
    const request = createRequest();
    if (this.#options.session.extendedHeaders) decodeExtendedRequest(header, 0, request);
    else decodeRequest(header, 0, request);
    const payloadBytes = payload?.length ?? 0;
    this.#executor.execute(request, payload, (chunks) => {
      this.#post({ kind: 'reply', chunks, payloadBytes }, movable(chunks));
    });
  }

  #finish(end: ConnectionEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { system, worker, socketFd } = this.#options;
    worker.off('exit', this.#onExit);
    this.#port.close();
    for (const [device, bypass] of this.#bypasses) device.detachBypass(bypass);
    system.sockets.shutdown(socketFd, 'both');
    system.descriptors.close(socketFd);
    system.descriptors.close(this.#eventFd);
    void this.#executor.drained().then(() => this.#resolveEnded(end));
  }
}

/** What one device of the stack sees of the connection. */
class StackBypass implements Bypass {
  readonly #connection: PlaneConnection;
  readonly #device: MappedDevice;
  readonly #statistics: IoStatistics;

  constructor(connection: PlaneConnection, device: MappedDevice, statistics: IoStatistics) {
    this.#connection = connection;
    this.#device = device;
    this.#statistics = statistics;
  }

  quiesce(): Promise<void> {
    return this.#connection.hold(this.#device);
  }

  release(): void {
    this.#connection.release();
  }

  statistics(): IoStatistics {
    return this.#statistics;
  }
}

/** The memory of large chunks that is theirs alone, but for the room that was left for a header. */
function movable(chunks: readonly Uint8Array[]): ArrayBuffer[] {
  return chunks
    .filter(({ length, buffer }) => length >= MOVE_BYTES && buffer.byteLength - length < MOVE_BYTES)
    .map((chunk) => chunk.buffer)
    .filter((memory): memory is ArrayBuffer => memory instanceof ArrayBuffer);
}
