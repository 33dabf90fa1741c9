/**
 * An export on a server, over one or several connections that may come and go: what a device sends requests to.
 *
 * Invariants
 * - A request given to `send` ends exactly once, with an errno.
 * - A request that was in flight when its connection was lost goes out once more, never twice more: lost again, it fails with EIO.
 * - A flush succeeds only on a connection that has been up since before every write it covers was acknowledged. Older ones may
 *   have been in the memory of a server that died; the first flush after that fails with EIO, to say so, and the next goes on.
 * - Without any connection for `timeoutMs`, everything waiting fails with ETIMEDOUT, and what comes later fails with EIO at once,
 *   until a connection is made after all.
 * - An export that comes back as another one (`whatChanged`) is never written to: everything fails with ENXIO, for good.
 */

import type { Clock, Timer } from '../../base/clock.ts';
import { DmError, Errno } from '../../base/errors.ts';
import { Command, CommandFlag, TransmissionFlag } from '../../protocols/nbd/constants.ts';
import { type Established, type EstablishOptions, establish } from './establish.ts';
import { type ExportInfo, has, whatChanged } from './export-info.ts';
import { Link, type LinkOwner } from './link.ts';
import { type RemoteRequest, RequestQueue } from './remote-request.ts';
import { formatNbdUri, type NbdUri } from './uri.ts';
import type { Wire } from './wire.ts';

export interface RemoteExportOptions {
  uri: NbdUri;
  clock: Clock;
  /** At most; one where the server does not promise that several see the same data. Default 4. */
  connectionCount?: number;
  /** How long a server may be away or silent before requests fail. Default 30 s. */
  timeoutMs?: number;
  /** For each attempt to connect, handshake included. Default 10 s. */
  connectTimeoutMs?: number;
  /** Told, in a sentence, about losses and returns. */
  report?: (message: string) => void;
  /** Instead of a socket. */
  connect?: (signal: AbortSignal) => Promise<Wire>;
}

const DEFAULT_CONNECTIONS = 4;
const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
/** The watchdog looks this often in `timeoutMs`. */
const TICKS_PER_TIMEOUT = 30;
/** A request that gets no answer while others do: so many timeouts, then the connection is judged broken. */
const NEGLECT_TIMEOUTS = 4;

export class RemoteExport implements LinkOwner {
  /** As the first connection found it. */
  readonly info: ExportInfo;
  readonly uri: NbdUri;
  readonly #options: RemoteExportOptions;
  readonly #clock: Clock;
  readonly #links: Link[];
  readonly #waiting = new RequestQueue();
  /**
   * Were in flight when a connection was lost. They wait until an attempt to connect has shown how things are: where one
   * connection of several is lost, the others often follow, and a request must not meet that twice.
   */
  readonly #lost = new RequestQueue();
  /** Accepted and not ended. */
  #pendingCount = 0;
  /** Writes acknowledged without being durable, counted; and how many of them a flush has covered. */
  #writeSerial = 0;
  #flushedSerial = 0;
  #everLost = false;
  #offline = false;
  #failure: DmError | null = null;
  #closing = false;
  #whenIdle: (() => void) | null = null;
  #tick = 0;
  #lastUpTick = 0;
  #watchdog: Timer | null = null;

  private constructor(options: RemoteExportOptions, first: Established) {
    this.uri = options.uri;
    this.info = first.info;
    this.#options = options;
    this.#clock = options.clock;
    const linkCount = has(first.info, TransmissionFlag.canMultiConn)
      ? Math.max(1, options.connectionCount ?? DEFAULT_CONNECTIONS)
      : 1;
    this.#links = Array.from({ length: linkCount }, () => this.#createLink());
    this.#links.forEach((link, index) => {
      if (index === 0) link.adopt(first);
      else link.start();
    });
  }

  /** Resolves with the first connection; further ones follow in the background. Rejects with DmError. */
  static async connect(options: RemoteExportOptions): Promise<RemoteExport> {
    return new RemoteExport(options, await establish(establishOptions(options)));
  }

  #createLink(): Link {
    return new Link({
      clock: this.#clock,
      establish: (signal) => establish({ ...establishOptions(this.#options), signal }),
      owner: this,
    });
  }

  /** How many connections are up. */
  get connectionCount(): number {
    return this.#links.filter((link) => link.connection).length;
  }

  /** Why nothing works any more; null: it does, or may again. */
  get failure(): DmError | null {
    return this.#failure;
  }

  /** The request ends through its owner, perhaps before this returns. */
  send(request: RemoteRequest): void {
    this.#pendingCount += 1;
    const refusal = this.#refusalErrno();
    if (refusal !== 0) {
      this.#end(request, refusal);
      return;
    }
    request.acceptedTick = this.#tick;
    this.#watch();
    if (this.#waiting.isEmpty && this.#dispatch(request)) return;
    this.#waiting.push(request);
  }

  #refusalErrno(): number {
    if (this.#failure) return Errno.ENXIO;
    return this.#closing || this.#offline ? Errno.EIO : 0;
  }

  /** Hands the request to a connection; false: none has room now. */
  #dispatch(request: RemoteRequest): boolean {
    const link = request.command === Command.flush ? this.#oldestLink() : this.#idlestLink();
    if (!link) return false;
    if (request.command === Command.flush) {
      if (this.#mayHaveLostWrites(link, request)) {
        this.#end(request, Errno.EIO);
        return true;
      }
      request.coveredSerial = this.#writeSerial;
    }
    this.#transmit(link, request);
    return true;
  }

  #transmit(link: Link, request: RemoteRequest): void {
    request.sentTick = this.#tick;
    link.connection!.send(request);
  }

  #idlestLink(): Link | null {
    let best: Link | null = null;
    let bestCount = Number.POSITIVE_INFINITY;
    for (const link of this.#links) {
      const connection = link.connection;
      if (!connection?.hasRoom || connection.inFlightCount >= bestCount) continue;
      best = link;
      bestCount = connection.inFlightCount;
    }
    return best;
  }

  /** The one that can vouch for most writes; null while it has no room, since another would not do. */
  #oldestLink(): Link | null {
    let oldest: Link | null = null;
    for (const link of this.#links) {
      if (!link.connection) continue;
      if (!oldest || link.establishedSerial < oldest.establishedSerial) oldest = link;
    }
    return oldest?.connection?.hasRoom ? oldest : null;
  }

  /** Reports a possible loss once: the next flush is about later writes. */
  #mayHaveLostWrites(link: Link, request: RemoteRequest): boolean {
    if (link.establishedSerial <= this.#flushedSerial) return false;
    if (!request.quietAboutLoss) {
      this.#report('writes acknowledged before the connection was lost may be gone: flush fails');
      this.#flushedSerial = link.establishedSerial;
    }
    return true;
  }

  requestDone(link: Link, request: RemoteRequest): void {
    if (request.error === Errno.ESHUTDOWN) {
      this.#retryLost(request);
      link.connection?.drop(new DmError('ESHUTDOWN', 'the server is shutting down'));
      return;
    }
    if (request.error === 0) this.#countWrite(request);
    this.#end(request, request.error);
    this.#dispatchWaiting();
  }

  #countWrite(request: RemoteRequest): void {
    switch (request.command) {
      case Command.flush:
        this.#flushedSerial = Math.max(this.#flushedSerial, request.coveredSerial);
        return;
      case Command.write:
      case Command.trim:
      case Command.writeZeroes:
        if ((request.flags & CommandFlag.fua) === 0) this.#writeSerial += 1;
    }
  }

  #dispatchWaiting(): void {
    for (let request = this.#waiting.shift(); request; request = this.#waiting.shift()) {
      if (this.#dispatch(request)) continue;
      this.#waiting.unshift(request);
      return;
    }
  }

  #end(request: RemoteRequest, errno: number): void {
    this.#pendingCount -= 1;
    request.owner!.requestEnded(request, errno);
    if (this.#pendingCount > 0) return;
    this.#watchdog?.cancel();
    this.#watchdog = null;
    this.#whenIdle?.();
  }

  accept(_link: Link, { info }: Established): string | null {
    if (this.#failure) return 'the export has failed';
    const change = whatChanged(this.info, info);
    if (change !== null) {
      this.#fail(`${formatNbdUri(this.uri)} is not the export it was: ${change}`);
    }
    return change;
  }

  linkUp(link: Link): void {
    // While nothing was ever lost, all connections lead to the same run of the server, which promises one flush for all.
    link.establishedSerial = this.#everLost ? this.#writeSerial : 0;
    this.#lastUpTick = this.#tick;
    if (this.#everLost) this.#report('connected again');
    this.#offline = false;
    this.#releaseLost(link);
    this.#dispatchWaiting();
  }

  connectFailed(_link: Link, error: DmError): void {
    if (this.connectionCount === 0) {
      this.#report(error.message);
      return;
    }
    // Those that are up have outlived the loss.
    this.#releaseLost(null);
    this.#dispatchWaiting();
  }

  /** To the connection that has just been made, which is the surest; the rest to whichever has room. */
  #releaseLost(fresh: Link | null): void {
    for (const request of this.#lost.takeAll()) {
      if (fresh?.connection?.hasRoom && request.command !== Command.flush)
        this.#transmit(fresh, request);
      else this.#waiting.unshift(request);
    }
  }

  linkDown(_link: Link, unanswered: RemoteRequest[], cause: Error): void {
    this.#everLost = true;
    this.#lastUpTick = this.#tick;
    if (!this.#closing) this.#report(`connection lost: ${cause.message}`);
    for (const request of unanswered) this.#retryLost(request);
    this.#dispatchWaiting();
  }

  #retryLost(request: RemoteRequest): void {
    if (this.#failure) {
      this.#end(request, Errno.ENXIO);
      return;
    }
    if (request.replayed || this.#offline) {
      this.#end(request, Errno.EIO);
      return;
    }
    if (this.#tick - request.acceptedTick >= TICKS_PER_TIMEOUT) {
      this.#end(request, Errno.ETIMEDOUT);
      return;
    }
    request.replayed = true;
    this.#lost.push(request);
  }

  #fail(reason: string): void {
    if (this.#failure) return;
    this.#failure = new DmError('ENXIO', reason);
    this.#report(reason);
    this.#endWaiting(Errno.ENXIO);
    for (const link of this.#links) link.kill(this.#failure);
  }

  #endWaiting(errno: number): void {
    const requests = [...this.#lost.takeAll(), ...this.#waiting.takeAll()];
    for (const request of requests) this.#end(request, errno);
  }

  #report(message: string): void {
    this.#options.report?.(message);
  }

  /** Looks after requests while there are any. */
  #watch(): void {
    if (this.#watchdog) return;
    const tickMs = (this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS) / TICKS_PER_TIMEOUT;
    this.#watchdog = this.#clock.after(tickMs, () => {
      this.#watchdog = null;
      this.#tick += 1;
      for (const link of this.#links) this.#checkLink(link);
      this.#checkOffline();
      if (this.#pendingCount > 0) this.#watch();
    });
  }

  #checkLink(link: Link): void {
    const { connection } = link;
    if (!connection) return;
    const { movedBytes } = connection;
    const isQuiet = connection.inFlightCount > 0 && movedBytes === link.movedBytes;
    link.quietTicks = isQuiet ? link.quietTicks + 1 : 0;
    link.movedBytes = movedBytes;
    const isSilent = link.quietTicks >= TICKS_PER_TIMEOUT;
    const oldestTicks = this.#tick - connection.oldestSentTick;
    if (!isSilent && oldestTicks < NEGLECT_TIMEOUTS * TICKS_PER_TIMEOUT) return;
    connection.drop(new DmError('ETIMEDOUT', 'the server stopped answering'));
  }

  #checkOffline(): void {
    if (this.connectionCount > 0 || this.#offline) return;
    if (this.#tick - this.#lastUpTick < TICKS_PER_TIMEOUT) return;
    this.#offline = true;
    this.#report('gave up waiting for the server; requests fail until it is back');
    this.#endWaiting(Errno.ETIMEDOUT);
  }

  /** Waits for what is under way, says goodbye, closes. Never rejects. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#pendingCount > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await Promise.all(this.#links.map((link) => link.stop()));
  }
}

function establishOptions(options: RemoteExportOptions): EstablishOptions {
  return {
    uri: options.uri,
    clock: options.clock,
    timeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    ...(options.connect && { connect: options.connect }),
  };
}
