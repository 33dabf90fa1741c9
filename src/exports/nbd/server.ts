/** The NBD server: listens, admits clients, shuts down in order. */

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Clock, endsWithin, systemClock } from '../../base/clock.ts';
import { DmError } from '../../base/errors.ts';
import { Op, recycleBio, takeBio } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import { isSuspendedBelow } from '../../core/suspended-below.ts';
import { MAX_PAYLOAD_BYTES } from '../../protocols/nbd/constants.ts';
import { Listeners } from '../../system/listeners.ts';
import { type AdoptHook, Connection, type ConnectionStatus } from './connection.ts';
import type { ExportSource } from './exports.ts';
import { MemoryBudget } from './memory-budget.ts';
import type { NegotiationOptions } from './negotiation.ts';
import { type TlsOptions, TlsStarter } from './tls.ts';

const MIB = 1024 * 1024;

export interface NbdServerLimits {
  /** Clients at a time; more are hung up on. Default 128. */
  maxConnectionCount: number;
  /** From connect to transmission. Default 10,000. */
  handshakeTimeoutMs: number;
  /** Data of one option of the handshake. Default 64 KiB. */
  maxOptionBytes: number;
  /** Options of one handshake. Default 256. */
  maxOptionCount: number;
  /** Requests of one connection whose reply is not yet sent. Default 256. */
  maxRequestCount: number;
  /** Memory for data of requests that each connection may have whatever the others do. Default 1 MiB. */
  ownBytes: number;
  /** Memory for data of requests of one connection. Default 64 MiB. */
  maxConnectionBytes: number;
  /** Memory for data of requests beyond `ownBytes`, of all connections. Default 256 MiB. */
  maxTotalBytes: number;
  /** A client that holds memory others wait for and neither sends nor takes bytes for so long is hung up on. Default 10,000. */
  stallMs: number;
  /** For the client to hang up after the last reply. Default 5,000. */
  lingerMs: number;
}

export const DEFAULT_SERVER_LIMITS: NbdServerLimits = {
  maxConnectionCount: 128,
  handshakeTimeoutMs: 10_000,
  maxOptionBytes: 64 * 1024,
  maxOptionCount: 256,
  maxRequestCount: 256,
  ownBytes: MIB,
  maxConnectionBytes: 2 * MAX_PAYLOAD_BYTES,
  maxTotalBytes: 256 * MIB,
  stallMs: 10_000,
  lingerMs: 5_000,
};

export type NbdServerEvent =
  | { kind: 'connected'; peer: string }
  | { kind: 'refused'; peer: string; reason: string }
  /** `reason` is null for an orderly end. */
  | { kind: 'disconnected'; peer: string; exportName: string | null; reason: string | null };

export interface NbdServerOptions {
  exports: ExportSource;
  /** What the empty name means; by default the only export, if there is exactly one. */
  defaultExport?: string;
  /** Absent: no TLS. */
  tls?: TlsOptions;
  limits?: Partial<NbdServerLimits>;
  /** Offered every plain connection that enters transmission; absent: all are served by this thread. */
  adopt?: AdoptHook;
  onEvent?: (event: NbdServerEvent) => void;
  clock?: Clock;
}

export interface NbdServerStatus {
  connections: ConnectionStatus[];
  /** Memory taken from the common pool. */
  pooledBytes: number;
}

export class NbdServer {
  readonly #options: NbdServerOptions;
  readonly #limits: NbdServerLimits;
  readonly #clock: Clock;
  readonly #tls: TlsStarter | null;
  readonly #budget: MemoryBudget;
  readonly #negotiation: NegotiationOptions;
  readonly #listeners = new Listeners({
    accept: (socket) => this.serve(socket, peerName(socket)),
    acceptFailed: (peer, { message }) => this.#report({ kind: 'refused', peer, reason: message }),
  });
  readonly #connections = new Set<Connection>();
  #closing = false;

  /** Throws DmError for TLS keys that do not work. */
  constructor(options: NbdServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_SERVER_LIMITS, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    const { handshakeTimeoutMs, maxOptionBytes, maxOptionCount } = this.#limits;
    this.#tls = options.tls ? new TlsStarter(options.tls, handshakeTimeoutMs) : null;
    this.#budget = createBudget(this.#limits, this.#clock);
    this.#negotiation = {
      exports: options.exports,
      defaultExport: options.defaultExport,
      tlsMode: options.tls ? (options.tls.mode ?? 'required') : 'off',
      maxOptionBytes,
      maxOptionCount,
      isShuttingDown: () => this.#closing,
    };
  }

  /** Listens on a Unix socket that only its owner can reach; a socket nobody answers on is replaced. Throws DmError. */
  listenUnix(path: string): Promise<void> {
    return this.#listeners.listenUnix(path);
  }

  /** Takes over a Unix socket that somebody else, such as systemd, listens on. Throws DmError. */
  listenDescriptor(fd: number): Promise<void> {
    return this.#listeners.listenDescriptor(fd);
  }

  /**
   * Listens on TCP and returns the port. An address that others can reach needs TLS to be required, or `insecure`.
   * Throws DmError.
   */
  async listenTcp(address: { host: string; port: number; insecure?: boolean }): Promise<number> {
    const { host, port, insecure = false } = address;
    if (!insecure && this.#negotiation.tlsMode !== 'required' && !isLoopback(host)) {
      const reason = 'others can reach it and TLS is not required';
      throw new DmError('EPERM', `Cannot listen on ${host}:${port}: ${reason}`);
    }
    return await this.#listeners.listenTcp(host, port);
  }

  /** Serves one connected stream, as if a listener had accepted it. */
  serve(stream: Duplex, peer: string): void {
    const reason = this.#reasonToRefuse();
    if (reason !== null) {
      stream.destroy();
      this.#report({ kind: 'refused', peer, reason });
      return;
    }
    const { handshakeTimeoutMs, lingerMs, maxRequestCount } = this.#limits;
    const connection = new Connection(stream, {
      peer,
      negotiation: this.#negotiation,
      tls: this.#tls,
      adopt: this.#options.adopt,
      budget: this.#budget,
      maxRequestCount,
      handshakeTimeoutMs,
      lingerMs,
      clock: this.#clock,
    });
    this.#connections.add(connection);
    this.#report({ kind: 'connected', peer });
    void connection.ended.then((endReason) => {
      this.#connections.delete(connection);
      const { exportName } = connection.status();
      this.#report({ kind: 'disconnected', peer, exportName, reason: endReason });
    });
  }

  #reasonToRefuse(): string | null {
    if (this.#closing) return 'the server is shutting down';
    const { maxConnectionCount } = this.#limits;
    if (this.#connections.size < maxConnectionCount) return null;
    return `${maxConnectionCount} clients are connected already`;
  }

  #report(event: NbdServerEvent): void {
    this.#options.onEvent?.(event);
  }

  /** Who is connected and what is being waited for. */
  status(): NbdServerStatus {
    return {
      connections: [...this.#connections].map((connection) => connection.status()),
      pooledBytes: this.#budget.pooledBytes,
    };
  }

  /**
   * Accepts nobody any more, lets requests under way finish and answers later ones with ESHUTDOWN, flushes the exports.
   * After `timeoutMs` it hangs up on whoever is left, and answers false: see `status`. Adopted connections are
   * waited for, but ending them is their adopter's. Throws DmError when an export could not be flushed.
   */
  async close({ timeoutMs = 30_000 }: { timeoutMs?: number } = {}): Promise<boolean> {
    this.#closing = true;
    this.#listeners.close();
    for (const connection of this.#connections) connection.shutDown();
    const finishing = this.#finishAll();
    const inTime = await endsWithin(this.#clock, timeoutMs, finishing);
    for (const connection of this.#connections) connection.close('the server shut down');
    if (!inTime) return false;
    const unflushed = await finishing;
    if (unflushed.length === 0) return true;
    const reason = 'what clients wrote last may be lost';
    throw new DmError('EIO', `Cannot flush ${unflushed.join(', ')}: ${reason}`);
  }

  /** Resolves with the names of the exports that could not be flushed. */
  async #finishAll(): Promise<string[]> {
    const busy = [...this.#connections].filter(
      ({ phase }) => phase !== 'handshake' && phase !== 'tls',
    );
    await Promise.all(busy.map((connection) => connection.ended));
    const written = this.#options.exports
      .list()
      .filter(({ readOnly, device }) => !readOnly && !device.readOnly)
      // Nothing of a suspended one is under way, and a flush would wait for whoever resumes it.
      .filter(({ device }) => !isSuspendedBelow(device));
    const errnos = await Promise.all(written.map(({ device }) => flush(device)));
    return written.filter((_, index) => errnos[index] !== 0).map(({ name }) => name);
  }
}

function createBudget(limits: NbdServerLimits, clock: Clock): MemoryBudget {
  const { ownBytes, maxConnectionBytes: maxBytes, maxTotalBytes: totalBytes, stallMs } = limits;
  return new MemoryBudget({ ownBytes, maxBytes, totalBytes, stallMs, clock });
}

/** Resolves with its errno, 0 for success. */
function flush(device: BlockDevice): Promise<number> {
  return new Promise((resolve) => {
    const bio = takeBio();
    bio.op = Op.flush;
    bio.device = device;
    bio.sector = 0;
    bio.sectorCount = 0;
    bio.onEnd = (ended) => {
      const { error } = ended;
      recycleBio(ended);
      resolve(error);
    };
    device.submit(bio);
  });
}

function peerName(socket: Socket): string {
  const { remoteAddress, remotePort } = socket;
  return remoteAddress === undefined ? 'unix' : `${remoteAddress}:${remotePort}`;
}

/** Addresses that only this machine reaches. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
