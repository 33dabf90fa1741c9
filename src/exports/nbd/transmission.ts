/**
 * The transmission phase on a stream of this thread: requests in, replies out, nothing unbounded in between.
 *
 * Invariants
 * - A request counts as outstanding from admission until its reply is handed to the system; as long as too many are, or
 *   their memory is too much, nothing more is read.
 * - At most one batch of replies is being written; what ends meanwhile makes the next batch.
 * - Requests under way always finish, also when the client is gone: then their replies are dropped.
 * - The session is released when the stream is closed and nothing is under way.
 */

import type { Duplex } from 'node:stream';
import { type Clock, systemClock, type Timer } from '../../base/clock.ts';
import { FormatError } from '../../base/errors.ts';
import { beginPlug, endPlug } from '../../core/plug.ts';
import { Command, MAX_PAYLOAD_BYTES } from '../../protocols/nbd/constants.ts';
import type { Request } from '../../protocols/nbd/request.ts';
import { Executor, type RequestUnderWay } from './executor.ts';
import type { BudgetHolder, BudgetShare, MemoryBudget } from './memory-budget.ts';
import { ReplyQueue } from './reply-queue.ts';
import { RequestParser, type RequestReceiver } from './request-parser.ts';
import type { NbdSession } from './session.ts';

export interface TransmissionOptions {
  stream: Duplex;
  session: NbdSession;
  budget: MemoryBudget;
  /** Outstanding at a time. */
  maxRequestCount: number;
  /** How long a client may take to receive the last replies and hang up. */
  lingerMs: number;
  clock?: Clock;
}

/** The same when the server goes down: clients that watch their sockets need far less. */
const SHUTDOWN_LINGER_MS = 500;
/** What a block status answer may need while it is gathered. */
const STATUS_COST_BYTES = 1024 * 1024;

export class Transmission implements RequestReceiver, BudgetHolder {
  /** Why it ended, null for an orderly end; resolves when nothing is left to do or to release. */
  readonly ended: Promise<string | null>;
  readonly #stream: Duplex;
  readonly #session: NbdSession;
  readonly #executor: Executor;
  readonly #parser: RequestParser;
  readonly #replies: ReplyQueue;
  readonly #share: BudgetShare;
  readonly #clock: Clock;
  readonly #options: TransmissionOptions;
  /** - `running`; `finishing`: nothing more is read; `ending`: all replies are out; `gone`: the stream is closed. */
  #phase: 'running' | 'finishing' | 'ending' | 'gone' = 'running';
  #outstandingCount = 0;
  /** When the client last sent or took something. */
  #progressMs: number;
  #reason: string | null = null;
  #linger: Timer | null = null;
  #lingerMs: number;
  #resolveEnded: (reason: string | null) => void = () => {};

  constructor(options: TransmissionOptions) {
    const { stream, session, budget, clock = systemClock } = options;
    this.#options = options;
    this.#stream = stream;
    this.#session = session;
    this.#clock = clock;
    this.#progressMs = clock.nowMs();
    this.#lingerMs = options.lingerMs;
    this.#executor = new Executor(session, { clock });
    this.#parser = new RequestParser(session.extendedHeaders, this);
    this.#share = budget.open(this);
    this.#replies = new ReplyQueue(stream, (batch) => this.#afterBatch(batch));
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  get session(): NbdSession {
    return this.#session;
  }

  get outstandingCount(): number {
    return this.#outstandingCount;
  }

  underWay(): RequestUnderWay[] {
    return this.#executor.underWay();
  }

  /** `leftover` came behind the handshake. */
  start(leftover: Uint8Array): void {
    this.#stream.on('data', (chunk: Uint8Array) => this.#feed(chunk));
    this.#stream.on('end', () => this.#finish());
    this.#stream.on('error', (error) => this.destroy(error.message));
    this.#stream.on('close', () => this.#onClose());
    if (leftover.length > 0) this.#feed(leftover);
    else this.#adjustFlow();
  }

  /** The server goes down: what is under way finishes, what still comes is answered with ESHUTDOWN. */
  shutDown(): void {
    this.#lingerMs = Math.min(this.#lingerMs, SHUTDOWN_LINGER_MS);
    this.#executor.close();
    if (this.#phase !== 'running') return;
    void this.#executor.drained().then(() => this.#finish());
  }

  /** Hangs up at once. */
  destroy(reason: string): void {
    if (this.#phase === 'gone') return;
    this.#reason ??= reason;
    this.#stream.destroy();
    this.#onClose();
  }

  #feed(chunk: Uint8Array): void {
    if (this.#phase !== 'running') return;
    this.#progressMs = this.#clock.nowMs();
    this.#parse(() => this.#parser.feed(chunk));
  }

  /** Requests that came together start together, so that neighbours become one system call. */
  #parse(action: () => void): void {
    beginPlug();
    try {
      action();
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.destroy(error.message);
    } finally {
      endPlug();
    }
    this.#adjustFlow();
  }

  #adjustFlow(): void {
    if (this.#phase !== 'running') return;
    if (this.#parser.isWaiting) this.#stream.pause();
    else this.#stream.resume();
  }

  admit(request: Request, keptBytes: number): boolean {
    if (this.#outstandingCount >= this.#options.maxRequestCount) return false;
    if (!this.#share.reserve(keptBytes + replyCost(request))) return false;
    this.#outstandingCount += 1;
    return true;
  }

  receive(request: Request, payload: Uint8Array | null): void {
    if (request.command === Command.disconnect) {
      this.#outstandingCount -= 1;
      this.#finish();
      return;
    }
    const payloadCost = payload?.length ?? 0;
    const cost = replyCost(request);
    this.#executor.execute(request, payload, (chunks) => {
      this.#share.release(payloadCost);
      if (this.#phase === 'gone') this.#settle({ count: 1, costBytes: cost });
      else this.#replies.push(chunks, cost);
    });
  }

  #afterBatch(batch: { count: number; costBytes: number }): void {
    this.#progressMs = this.#clock.nowMs();
    this.#settle(batch);
  }

  /** Replies are out, or dropped. */
  #settle({ count, costBytes }: { count: number; costBytes: number }): void {
    this.#outstandingCount -= count;
    this.#share.release(costBytes);
    if (this.#phase === 'running') this.onRoom();
    else this.#checkFinished();
  }

  onRoom(): void {
    if (this.#phase !== 'running' || !this.#parser.isWaiting) return;
    this.#parse(() => this.#parser.resume());
  }

  stalledMs(): number {
    const waitsForClient = this.#replies.isWriting || this.#parser.receivingBytes > 0;
    return waitsForClient ? this.#clock.nowMs() - this.#progressMs : 0;
  }

  evict(): void {
    this.destroy('the client was too slow while others waited for memory');
  }

  /** Reads no more, answers what it has, hangs up. */
  #finish(): void {
    if (this.#phase !== 'running') return;
    this.#phase = 'finishing';
    this.#dropUnread();
    this.#stream.pause();
    this.#checkFinished();
  }

  /** A request of which not all has come will never run. */
  #dropUnread(): void {
    if (this.#parser.receivingBytes > 0) this.#outstandingCount -= 1;
    this.#share.release(this.#parser.receivingBytes);
    this.#share.withdraw();
    this.#parser.stop();
  }

  #checkFinished(): void {
    if (this.#outstandingCount > 0) return;
    if (this.#phase === 'finishing') {
      this.#phase = 'ending';
      this.#stream.end();
      // Whatever the client still says is read and thrown away, to see it hang up.
      this.#stream.resume();
      this.#linger = this.#clock.after(this.#lingerMs, () => this.#stream.destroy());
    } else if (this.#phase === 'gone') {
      this.#linger?.cancel();
      this.#share.close();
      this.#session.release();
      this.#resolveEnded(this.#reason);
    }
  }

  #onClose(): void {
    if (this.#phase === 'gone') return;
    if (this.#phase === 'running') {
      this.#reason ??= 'the client hung up';
      this.#dropUnread();
    }
    this.#phase = 'gone';
    const dropped = this.#replies.close();
    this.#outstandingCount -= dropped.count;
    this.#share.release(dropped.costBytes);
    this.#checkFinished();
  }
}

/** Memory that a request will need for its answer, held until that is sent. */
function replyCost({ command, lengthBytes }: Request): number {
  if (command === Command.read) return lengthBytes <= MAX_PAYLOAD_BYTES ? lengthBytes : 0;
  return command === Command.blockStatus ? STATUS_COST_BYTES : 0;
}
