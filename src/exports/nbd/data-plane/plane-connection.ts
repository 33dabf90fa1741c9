/**
 * One connection that a worker serves, seen from the main thread: the link to the copy of the stack that the worker has, and the
 * requests that it hands back.
 */

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { systemClock } from '../../../base/clock.ts';
import type { MappedDevice } from '../../../core/mapped-device.ts';
import { beginPlug, endPlug } from '../../../core/plug.ts';
import { MAX_PAYLOAD_BYTES, TransmissionFlag } from '../../../protocols/nbd/constants.ts';
import {
  createRequest,
  decodeExtendedRequest,
  decodeRequest,
  requestHeaderBytes,
} from '../../../protocols/nbd/request.ts';
import type { System } from '../../../system/index.ts';
import type { AssistantSeat } from '../../data-plane/cipher-assistant/assistants.ts';
import { Signal } from '../../data-plane/gate.ts';
import { hasSecrets } from '../../data-plane/plan.ts';
import type { PlaneThread } from '../../data-plane/plane-thread.ts';
import { StackLink } from '../../data-plane/stack-link.ts';
import { Executor, type RequestUnderWay } from '../executor.ts';
import type { NbdSession } from '../session.ts';
import { waitUntilTaken } from './lent.ts';
import type { FromWorker, StartMessage, ToWorker, WorkerCounters } from './messages.ts';
import { ReplyBatch } from './reply-batch.ts';
import { forEachRequest } from './request-batch.ts';

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
  /** For stacks that encrypt. Released by the connection. */
  takeAssistant(): AssistantSeat | null;
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

export class PlaneConnection {
  /** Resolves when the thread is done with it and its descriptors are closed. */
  readonly gone: Promise<ConnectionEnd>;
  /** Resolves when, after that, none of its requests is under way. */
  readonly ended: Promise<ConnectionEnd>;
  readonly #options: PlaneConnectionOptions;
  readonly #link: StackLink;
  readonly #port: MessagePort;
  readonly #executor: Executor;
  readonly #assistant: AssistantSeat | null;
  readonly #replies = new ReplyBatch();
  #isExecuting = false;
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
    this.#link = new StackLink({
      device: options.device,
      post: (plan) => this.#port.postMessage({ kind: 'plan', plan } satisfies ToWorker),
      postForget: () => this.#port.postMessage({ kind: 'forget' } satisfies ToWorker),
      ring: () => this.#ring(),
      afterShut: () => this.#waitForLent(),
    });
    const { structuredReplies, extendedHeaders, transmissionFlags } = session;
    this.#assistant = hasSecrets(this.#link.plan) ? options.takeAssistant() : null;
    const assistant = this.#assistant?.place ?? null;
    const start: StartMessage = {
      port: port2,
      socketFd,
      eventFd,
      gate: this.#link.gate.memory,
      leftover,
      wire: { structuredReplies, extendedHeaders },
      readOnly: (transmissionFlags & TransmissionFlag.readOnly) !== 0,
      plan: this.#link.plan,
      spinMicroseconds: options.spinMicroseconds,
      lendsFiles: options.lendsFiles,
      assistant,
      limits: LIMITS,
    };
    thread.serve(start, assistant === null ? [port2] : [port2, assistant.port]);
    this.#link.open();
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

  /** The gate is shut: what was sent from files before must not change any more, so that the client sees the device as it was. */
  async #waitForLent(): Promise<void> {
    const { gate } = this.#link;
    if (this.#isGone || !gate.isLent) return;
    const { system, socketFd } = this.#options;
    const unreadBytes = () => system.sockets.unreadBytes(socketFd);
    const isTaken = await waitUntilTaken(systemClock, { unreadBytes, isGone: () => this.#isGone });
    if (isTaken) gate.clearLent();
  }

  #post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    if (this.#isGone) return;
    this.#port.postMessage(message, transfer);
    this.#link.gate.signal(Signal.message);
    this.#ring();
  }

  #ring(): void {
    this.#options.system.descriptors.eventAdd(this.#options.eventFd, 1);
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'requests':
        this.#executeAll(message);
        break;
      case 'planned':
        this.#link.planned();
        break;
      case 'end':
        this.#finish({ reason: message.reason, counters: message.counters, threadAlive: true });
        break;
    }
  }

  /** Neighbours among them are joined at the bottom. */
  #executeAll(message: Extract<FromWorker, { kind: 'requests' }>): void {
    this.#isExecuting = true;
    beginPlug();
    const { bytes } = message;
    const headerBytes = requestHeaderBytes(this.#options.session.extendedHeaders);
    forEachRequest(message, headerBytes, (id, headerAt, payload) =>
      this.#execute(bytes, id, headerAt, payload),
    );
    endPlug();
    this.#isExecuting = false;
    this.#postReplies();
  }

  #execute(bytes: Uint8Array, id: number, headerAt: number, payload: Uint8Array | null): void {
    const request = createRequest();
    if (this.#options.session.extendedHeaders) decodeExtendedRequest(bytes, headerAt, request);
    else decodeRequest(bytes, headerAt, request);
    const startMs = systemClock.nowMs();
    this.#executor.execute(request, payload, (chunks) => {
      this.#reply(id, chunks, systemClock.nowMs() - startMs);
    });
  }

  /** What ends together is posted together: at the end of this turn. */
  #reply(id: number, chunks: readonly Uint8Array[], durationMs: number): void {
    const isFirst = this.#replies.isEmpty;
    this.#replies.add(id, chunks, durationMs);
    if (isFirst && !this.#isExecuting) queueMicrotask(() => this.#postReplies());
  }

  #postReplies(): void {
    if (this.#replies.isEmpty) return;
    const { message, transfer } = this.#replies.take();
    this.#post(message, transfer);
  }

  #finish(end: ConnectionEnd): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const { system, socketFd, eventFd } = this.#options;
    this.#port.close();
    this.#assistant?.release();
    this.#link.abandon();
    system.sockets.shutdown(socketFd, 'both');
    system.descriptors.close(socketFd);
    system.descriptors.close(eventFd);
    this.#resolveGone(end);
  }
}
