/**
 * One client of the control socket: a request, its reply, the next request.
 *
 * Invariants
 * - At most one request is under way; at most one reply is on its way out, and the next request waits for it.
 * - The client's end, or ours, aborts the signal that all its requests share; a reply is thrown away unless the client only
 *   closed its sending half.
 * - What came in and what went out is overwritten as soon as it is done with: it may hold keys.
 */

import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../base/clock.ts';
import { Errno, errnoOf, FormatError } from '../../base/errors.ts';
import { EventLoopSpin } from '../../base/event-loop-spin.ts';
import { Command, IOCTL_BASE } from '../protocol/commands.ts';
import { FrameReader } from '../protocol/frame-reader.ts';
import {
  type ControlReply,
  type ControlRequest,
  DAEMON_REQUEST,
  encodeReply,
  requestShape,
} from '../protocol/frames.ts';
import type { FrameBudget } from './frame-budget.ts';

/** What answers one connection. A request's buffer is overwritten once it was answered: whoever wants to keep it copies it. */
export interface ControlSessionHandler {
  /** Never rejects for anything a client can do; `signal` aborts when nobody waits for the answer any more. */
  handle(request: ControlRequest, signal: AbortSignal): Promise<ControlReply>;
  /** The connection is gone, and no request of it is under way. */
  closed(): void;
}

export interface ConnectionOptions {
  handler: ControlSessionHandler;
  budget: FrameBudget;
  clock: Clock;
  /** Half a request, or a reply nobody takes, for so long: the end. */
  stallMs: number;
}

/** A client that sends this much while its request is under way does not wait for replies. */
const MAX_EARLY_BYTES = 128 * 1024;
/** How long a client may think between two requests for the daemon to stay awake for it. */
const SPIN_MS = 0.3;
/** Replies below this go out in one piece. */
const GATHERED_BYTES = 64 * 1024;

/** Tables, messages, and methods of the daemon. */
const MAY_HOLD_KEYS: ReadonlySet<number> = new Set([
  DAEMON_REQUEST,
  IOCTL_BASE + Command.tableLoad,
  IOCTL_BASE + Command.targetMessage,
]);
/** What libuv reads into at a time. */
const READ_BYTES = 64 * 1024;

/**
 * Node reads into memory of this size, copies what has come and frees it as it is. Zeroed memory of the same size is most likely the one that
 * was freed last.
 */
function coverFreedMemory(): void {
  for (let count = 0; count < 3; count += 1) new Uint8Array(READ_BYTES);
}

export class ControlConnection {
  /** Resolves with the reason, null for an orderly end, when everything of the connection is over. */
  readonly ended: Promise<string | null>;
  readonly #stream: Duplex;
  readonly #options: ConnectionOptions;
  readonly #reader = new FrameReader(requestShape);
  readonly #spin = new EventLoopSpin(SPIN_MS);
  #resolveEnded: (reason: string | null) => void = () => {};
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  /** One for all requests: making one for each is a tenth of what a small request costs. */
  readonly #abort = new AbortController();
  #busy = false;
  #stall: Timer | null = null;
  #heldBytes = 0;
  #peerFinished = false;
  #shuttingDown = false;
  #reason: string | null = null;
  #closed = false;
  #released = false;

  constructor(stream: Duplex, options: ConnectionOptions) {
    this.#stream = stream;
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    stream.on('data', (chunk: Uint8Array) => this.#receive(chunk));
    stream.on('end', () => this.#peerEnded());
    stream.on('error', (error) => this.#hangUp(error.message));
    stream.on('close', () => this.#hangUp(null));
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** Interrupts the request under way, lets its reply out, and ends. */
  shutDown(): void {
    this.#shuttingDown = true;
    if (this.#busy) this.#abort.abort();
    else this.#hangUp(null);
  }

  /** Ends at once. */
  close(reason: string): void {
    this.#hangUp(reason);
  }

  #receive(chunk: Uint8Array): void {
    this.#spin.arrived();
    if (this.#closed) return;
    this.#early.push(chunk);
    this.#earlyBytes += chunk.byteLength;
    if (!this.busy) this.#advance();
    else if (this.#earlyBytes > MAX_EARLY_BYTES) {
      this.#hangUp(`it sent ${this.#earlyBytes} bytes and did not wait for a reply`);
    }
  }

  /** Reads until a request is complete or nothing more has arrived. */
  #advance(): void {
    while (!this.#closed && !this.busy) {
      const chunk = this.#early[0];
      if (chunk === undefined) break;
      const request = this.#readFrom(chunk);
      if (request !== null) void this.#serve(request);
    }
    if (this.busy || this.#closed) return;
    this.#watchProgress(this.#reader.pendingBytes > 0, 'half a request');
    if (this.#peerFinished) this.#finish();
  }

  #readFrom(chunk: Uint8Array): ControlRequest | null {
    try {
      const { frame, takenBytes } = this.#reader.read(chunk);
      chunk.subarray(0, takenBytes).fill(0);
      this.#earlyBytes -= takenBytes;
      if (takenBytes === chunk.byteLength) this.#early.shift();
      else this.#early[0] = chunk.subarray(takenBytes);
      const held = this.#hold(frame ? frame.buffer.byteLength : this.#reader.pendingBytes);
      return held ? frame : null;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#refuse(Errno.EPROTO, error.message);
      return null;
    }
  }

  /** Accounts for memory; a client that wants more than there is for all is refused. */
  #hold(bytes: number): boolean {
    if (!this.#options.budget.resize(this.#heldBytes, bytes)) {
      this.#refuse(Errno.ENOMEM, 'requests under way take all memory there is for them');
      return false;
    }
    this.#heldBytes = bytes;
    return true;
  }

  /** The last word to a client that cannot be understood. */
  #refuse(errno: number, reason: string): void {
    if (this.#closed) return;
    for (const piece of encodeReply({ errno, buffer: new Uint8Array(0), reason })) {
      this.#stream.write(piece);
    }
    this.#hangUp(reason, { afterWrites: true, lingers: true });
  }

  async #serve(request: ControlRequest): Promise<void> {
    this.#busy = true;
    this.#watchProgress(false, '');
    const reply = await this.#answer(request, this.#abort.signal);
    request.buffer.fill(0);
    if (MAY_HOLD_KEYS.has(request.ioctl)) coverFreedMemory();
    this.#send(reply, request.wantsReason);
  }

  async #answer(request: ControlRequest, signal: AbortSignal): Promise<ControlReply> {
    try {
      return await this.#options.handler.handle(request, signal);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { errno: errnoOf(error), buffer: new Uint8Array(0), reason };
    }
  }

  #send(reply: ControlReply, wantsReason: boolean): void {
    if (this.#closed) {
      reply.buffer.fill(0);
      this.#requestEnded();
      return;
    }
    const output = gather(encodeReply(wantsReason ? reply : { ...reply, reason: '' }));
    const sent = () => {
      for (const piece of output) piece.fill(0);
      reply.buffer.fill(0);
      this.#requestEnded();
    };
    if (output.length > 1) this.#stream.cork();
    output.forEach((piece, index) => {
      this.#stream.write(piece, index === output.length - 1 ? sent : undefined);
    });
    if (output.length > 1) this.#stream.uncork();
    this.#watchProgress(this.#stream.writableLength > 0, 'a reply that is not taken');
    this.#spin.await();
  }

  #requestEnded(): void {
    if (!this.#busy) return;
    this.#busy = false;
    this.#watchProgress(false, '');
    this.#hold(0);
    if (this.#closed) this.#finish();
    else if (this.#shuttingDown) this.#hangUp(null, { afterWrites: true });
    else this.#advance();
  }

  /** Nothing more comes; a request that is complete is still answered, though a wait ends at once. */
  #peerEnded(): void {
    this.#peerFinished = true;
    if (this.busy) this.#abort.abort();
    else this.#finish();
  }

  #watchProgress(waiting: boolean, what: string): void {
    this.#stall?.cancel();
    this.#stall = null;
    if (!waiting || this.#closed) return;
    const { clock, stallMs } = this.#options;
    this.#stall = clock.after(stallMs, () => this.#hangUp(`${what} for ${stallMs} ms`), {
      background: true,
    });
  }

  #finish(): void {
    if (!this.#closed) {
      const isPartial = this.#reader.pendingBytes > 0;
      this.#hangUp(isPartial ? 'it left in the middle of a request' : null, { afterWrites: true });
    }
    if (!this.busy) this.#release();
  }

  #hangUp(reason: string | null, { afterWrites = false, lingers = false } = {}): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#spin.arrived();
    this.#reason ??= reason;
    this.#stall?.cancel();
    this.#abort.abort();
    if (afterWrites) this.#endStream(lingers);
    else this.#stream.destroy();
    if (!this.busy) this.#release();
  }

  /**
   * Sends what is left, but waits no longer than for anything else. A client that still writes would lose its answer with the
   * connection: with `lingers`, what it sends is thrown away until it has read.
   */
  #endStream(lingers: boolean): void {
    const { clock, stallMs } = this.#options;
    const stream = this.#stream;
    const timer = clock.after(stallMs, () => stream.destroy(), { background: true });
    stream.once('close', () => timer.cancel());
    stream.once('end', () => {
      if (stream.writableFinished) stream.destroy();
    });
    stream.end(() => {
      if (!lingers || stream.readableEnded) stream.destroy();
    });
  }

  /** Overwrites and gives back what is held; nothing of this connection is under way. */
  #release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const chunk of this.#early) chunk.fill(0);
    this.#early = [];
    this.#reader.wipe();
    this.#options.budget.resize(this.#heldBytes, 0);
    this.#heldBytes = 0;
    this.#options.handler.closed();
    this.#resolveEnded(this.#reason);
  }
}

/** A small reply is one piece: one system call, one packet. */
function gather(pieces: Uint8Array[]): Uint8Array[] {
  const totalBytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  return totalBytes <= GATHERED_BYTES ? [Buffer.concat(pieces, totalBytes)] : pieces;
}
