/**
 * One connection that a worker serves, seen from the main thread: keeps its plan up to date, shuts its gate while a device of the
 * stack is suspended, and executes what the worker hands back.
 *
 * Invariants
 * - The gate is open only while no device of the stack is suspended and the worker has the plan of the stack as it is, or a
 *   signal that this plan waits.
 * - At most one plan is on its way, so that they do not pile up before a worker that is busy.
 */

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { sleep, systemClock } from '../../../base/clock.ts';
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
import { Gate, Signal } from './gate.ts';
import type { FromWorker, StartMessage, ToWorker, WorkerCounters } from './messages.ts';
import { buildPlan, type Plan } from './plan.ts';
import type { PlaneThread } from './plane-thread.ts';

export interface PlaneConnectionOptions {
  system: System;
  thread: PlaneThread;
  /** Both are the connection's from now on: closed when it is over. */
  socketFd: number;
  eventFd: number;
  leftover: Uint8Array;
  session: NbdSession;
  device: MappedDevice;
  spinMicroseconds: number;
  /** Large reads may be sent from the files: see `StartMessage`. */
  lendsFiles: boolean;
}

export interface ConnectionEnd {
  /** null: the client left in order. */
  reason: string | null;
  counters: WorkerCounters | null;
  /** The thread can serve another connection. */
  threadAlive: boolean;
}

const LIMITS = {
  maxPayloadBytes: MAX_PAYLOAD_BYTES,
  maxForwardedRequests: 128,
  maxForwardedBytes: 2 * MAX_PAYLOAD_BYTES,
  lingerMs: 1000,
};
/** Chunks above this are moved to the worker instead of copied, when nobody else can see their memory. */
const MOVE_BYTES = 16 * 1024;
/** How long a suspend waits for a client to take what the socket holds of the files themselves. */
const LENT_LIMIT_MS = 50;
const LENT_POLL_MS = 1;

export class PlaneConnection {
  /** Resolves when the thread is done with it and its descriptors are closed. */
  readonly gone: Promise<ConnectionEnd>;
  /** Resolves when, after that, none of its requests is under way. */
  readonly ended: Promise<ConnectionEnd>;
  readonly #options: PlaneConnectionOptions;
  readonly #gate = new Gate();
  readonly #port: MessagePort;
  readonly #executor: Executor;
  /** What each mapped device of the stack knows this connection as. */
  #bypasses = new Map<MappedDevice, StackBypass>();
  /** Devices of the stack that are suspended now. */
  readonly #held = new Set<MappedDevice>();
  /** Of the stack as it is. */
  #plan: Plan;
  /** The worker was not given `#plan` yet. */
  #planWaits = false;
  /** A plan is on its way that the worker has not read. */
  #planUnread = true;
  #resolveGone!: (end: ConnectionEnd) => void;
  #isGone = false;

  constructor(options: PlaneConnectionOptions) {
    const { thread, socketFd, eventFd, leftover, session } = options;
    this.#options = options;
    this.#executor = new Executor(session);
    this.gone = new Promise((resolve) => {
      this.#resolveGone = resolve;
    });
    this.ended = this.gone.then(async (end) => {
      await this.#executor.drained();
      return end;
    });
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', (message: FromWorker) => this.#receive(message));
    thread.onEnd = (error) => {
      const reason = `its thread died: ${error?.message ?? 'no reason given'}`;
      this.#finish({ reason, counters: null, threadAlive: false });
    };
    this.#plan = this.#renewPlan();
    const { structuredReplies, extendedHeaders, transmissionFlags } = session;
    const start: StartMessage = {
      port: port2,
      socketFd,
      eventFd,
      gate: this.#gate.memory,
      leftover,
      wire: { structuredReplies, extendedHeaders },
      readOnly: (transmissionFlags & TransmissionFlag.readOnly) !== 0,
      plan: this.#plan,
      spinMicroseconds: options.spinMicroseconds,
      lendsFiles: options.lendsFiles,
      limits: LIMITS,
    };
    thread.serve(start);
    if (this.#held.size === 0) this.#gate.open();
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

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Ends it, whether the worker waits for the client (the system call fails) or for the main thread (the message). */
  disconnect(): void {
    if (this.#isGone) return;
    this.#options.system.sockets.shutdown(this.#options.socketFd, 'both');
    this.#post({ kind: 'disconnect' });
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
    await this.#waitForLent();
  }

  /**
   * What the worker sent from files lies in the socket as it is in the files, and would change with them. A client that takes
   * its answers has them in no time; for one that does not, a suspend cannot wait.
   */
  async #waitForLent(): Promise<void> {
    const { system, socketFd } = this.#options;
    const limitMs = systemClock.nowMs() + LENT_LIMIT_MS;
    while (!this.#isGone && this.#gate.isLent) {
      if (system.sockets.unreadBytes(socketFd) <= 0) this.#gate.clearLent();
      else if (systemClock.nowMs() >= limitMs) return;
      else await sleep(systemClock, LENT_POLL_MS);
    }
  }

  /** A device of the stack runs again, perhaps with another table. */
  release(): void {
    if (this.#isGone) return;
    this.#plan = this.#renewPlan();
    this.#planWaits = true;
    this.#offerPlan();
  }

  #offerPlan(): void {
    if (!this.#planWaits || this.#planUnread || this.#held.size > 0) return;
    this.#planWaits = false;
    this.#planUnread = true;
    this.#post({ kind: 'plan', plan: this.#plan });
    this.#gate.open();
  }

  #post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    if (this.#isGone) return;
    this.#port.postMessage(message, transfer);
    this.#gate.signal(message.kind === 'plan' ? Signal.plan | Signal.message : Signal.message);
    this.#options.system.descriptors.eventAdd(this.#options.eventFd, 1);
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'request':
        this.#execute(message);
        break;
      case 'planned':
        this.#planUnread = false;
        this.#offerPlan();
        break;
      case 'end':
        this.#finish({ reason: message.reason, counters: message.counters, threadAlive: true });
        break;
    }
  }

  #execute({ id, header, payload }: Extract<FromWorker, { kind: 'request' }>): void {
    const request = createRequest();
    if (this.#options.session.extendedHeaders) decodeExtendedRequest(header, 0, request);
    else decodeRequest(header, 0, request);
    const startMs = systemClock.nowMs();
    this.#executor.execute(request, payload, (chunks) => {
      const durationMs = systemClock.nowMs() - startMs;
      this.#post({ kind: 'reply', id, chunks, durationMs }, movable(chunks));
    });
  }

  #finish(end: ConnectionEnd): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const { system, socketFd, eventFd } = this.#options;
    this.#port.close();
    this.#gate.abandon();
    for (const [device, bypass] of this.#bypasses) device.detachBypass(bypass);
    system.sockets.shutdown(socketFd, 'both');
    system.descriptors.close(socketFd);
    system.descriptors.close(eventFd);
    this.#resolveGone(end);
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
