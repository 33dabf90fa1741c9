/** The control socket: listens, admits clients, ends in order. What a request means is its handler's matter. */

import type { Duplex } from 'node:stream';
import { type Clock, endsWithin, systemClock } from '../../base/clock.ts';
import { Listeners } from '../../system/listeners.ts';
import { ControlConnection, type ControlSessionHandler } from './connection.ts';
import { FrameBudget } from './frame-budget.ts';

const MIB = 1024 * 1024;

export interface ControlServerLimits {
  /** Clients at a time; more are hung up on. Default 1,024. */
  maxConnectionCount: number;
  /** Memory for requests of all clients beyond 64 KiB each. Default 256 MiB. */
  maxTotalBytes: number;
  /** Half a request, or a reply nobody takes, for so long: the client is hung up on. Default 30,000. */
  stallMs: number;
}

const DEFAULT_LIMITS: ControlServerLimits = {
  maxConnectionCount: 1024,
  maxTotalBytes: 256 * MIB,
  stallMs: 30_000,
};

export interface ControlServerOptions {
  /** A new connection's own answerer. */
  connect(): ControlSessionHandler;
  /** A client that was refused or hung up on, in words. */
  onTrouble?: (reason: string) => void;
  limits?: Partial<ControlServerLimits>;
  clock?: Clock;
}

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #limits: ControlServerLimits;
  readonly #clock: Clock;
  readonly #budget: FrameBudget;
  readonly #listeners = new Listeners({
    accept: (socket) => this.serve(socket),
    acceptFailed: (_address, error) => this.#options.onTrouble?.(error.message),
  });
  readonly #connections = new Set<ControlConnection>();
  #closing = false;

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    this.#budget = new FrameBudget({
      totalBytes: this.#limits.maxTotalBytes,
      ownBytes: 64 * 1024,
    });
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Requests that are being answered. */
  get busyCount(): number {
    let count = 0;
    for (const connection of this.#connections) if (connection.busy) count += 1;
    return count;
  }

  /** Listens on a Unix socket that only its owner can reach; a socket nobody answers on is replaced. Throws DmError. */
  listenUnix(path: string): Promise<void> {
    return this.#listeners.listenUnix(path);
  }

  /** Takes over a socket that somebody else, such as systemd, listens on. Throws DmError. */
  listenDescriptor(fd: number): Promise<void> {
    return this.#listeners.listenDescriptor(fd);
  }

  /** Serves one connected stream, as if a listener had accepted it. */
  serve(stream: Duplex): void {
    const refusal = this.#reasonToRefuse();
    if (refusal !== null) {
      stream.on('error', () => undefined);
      stream.destroy();
      this.#options.onTrouble?.(`client refused: ${refusal}`);
      return;
    }
    const connection = new ControlConnection(stream, {
      handler: this.#options.connect(),
      budget: this.#budget,
      clock: this.#clock,
      stallMs: this.#limits.stallMs,
    });
    this.#connections.add(connection);
    void connection.ended.then((reason) => {
      this.#connections.delete(connection);
      if (reason !== null) this.#options.onTrouble?.(`client hung up on: ${reason}`);
    });
  }

  #reasonToRefuse(): string | null {
    if (this.#closing) return 'the daemon is stopping';
    const { maxConnectionCount } = this.#limits;
    if (this.#connections.size < maxConnectionCount) return null;
    return `${maxConnectionCount} clients are connected already`;
  }

  /**
   * Accepts nobody any more, interrupts what waits, lets the rest finish and answers it. After `timeoutMs` it hangs up on
   * whoever is left, and answers false.
   */
  async close({ timeoutMs = 10_000 }: { timeoutMs?: number } = {}): Promise<boolean> {
    this.#closing = true;
    this.#listeners.close();
    const ended = Promise.all([...this.#connections].map((connection) => connection.ended));
    for (const connection of this.#connections) connection.shutDown();
    const inTime = await endsWithin(this.#clock, timeoutMs, ended);
    for (const connection of this.#connections) connection.close('the daemon stopped');
    return inTime;
  }
}
