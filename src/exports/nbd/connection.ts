/**
 * One client, from its first byte to its last: handshake, perhaps TLS, then transmission here or in the data plane.
 */

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../base/clock.ts';
import type { RequestUnderWay } from './executor.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { Negotiation, type NegotiationOptions, type NegotiationPeer } from './negotiation.ts';
import type { NbdSession } from './session.ts';
import type { TlsStarter } from './tls.ts';
import { Transmission } from './transmission.ts';

export interface AdoptedSession extends NbdSession {
  /** `reason`: why the connection ended, null for an orderly end. */
  release(reason?: string | null): void;
}

/** Takes a plain connection in transmission over, socket and all, and later calls `session.release`; or answers false. */
export type AdoptHook = (socket: Socket, leftover: Uint8Array, session: AdoptedSession) => boolean;

export interface ConnectionOptions {
  /** For people: where the client is. */
  peer: string;
  negotiation: NegotiationOptions;
  tls: TlsStarter | null;
  adopt: AdoptHook | undefined;
  budget: MemoryBudget;
  maxRequestCount: number;
  handshakeTimeoutMs: number;
  lingerMs: number;
  clock: Clock;
}

export type ConnectionPhase = 'handshake' | 'tls' | 'transmission' | 'adopted' | 'closed';

export interface ConnectionStatus {
  peer: string;
  phase: ConnectionPhase;
  /** null before it is chosen. */
  exportName: string | null;
  tls: boolean;
  /** What the devices have not finished; of adopted connections nothing is known here. */
  underWay: RequestUnderWay[];
}

export class Connection implements NegotiationPeer {
  /** Why it ended, null for an orderly end; resolves when nothing is left to do. */
  readonly ended: Promise<string | null>;
  readonly #options: ConnectionOptions;
  readonly #negotiation: Negotiation;
  readonly #onData = (chunk: Uint8Array) => this.#negotiation.receive(chunk);
  readonly #onDrain = () => this.#negotiation.resume();
  readonly #onEnd = () => this.close('the client hung up');
  readonly #onClose = () => this.close('the client hung up');
  readonly #onError = (error: Error) => this.close(error.message);
  readonly #timer: Timer;
  #stream: Duplex;
  #phase: ConnectionPhase = 'handshake';
  #tls = false;
  #session: NbdSession | null = null;
  #transmission: Transmission | null = null;
  #unsentCount = 0;
  #afterSent: (() => void) | null = null;
  #resolveEnded: (reason: string | null) => void = () => {};

  constructor(stream: Duplex, options: ConnectionOptions) {
    this.#stream = stream;
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#negotiation = new Negotiation(options.negotiation, this);
    const { handshakeTimeoutMs, clock } = options;
    this.#timer = clock.after(handshakeTimeoutMs, () => this.close('the handshake took too long'));
    this.#listen();
    this.#negotiation.start();
  }

  get phase(): ConnectionPhase {
    return this.#phase;
  }

  status(): ConnectionStatus {
    return {
      peer: this.#options.peer,
      phase: this.#phase,
      exportName: this.#session?.export.name ?? null,
      tls: this.#tls,
      underWay: this.#transmission?.underWay() ?? [],
    };
  }

  /** Requests under way finish, later ones are refused. A handshake goes on to hear that the server goes down. */
  shutDown(): void {
    this.#transmission?.shutDown();
  }

  send(bytes: Uint8Array): boolean {
    this.#unsentCount += 1;
    return this.#stream.write(bytes, () => {
      this.#unsentCount -= 1;
      this.#runAfterSent();
    });
  }

  startTls(): void {
    this.#phase = 'tls';
    this.#unlisten();
    const { tls } = this.#options;
    this.#whenSent(() => {
      if (tls === null || !(this.#stream instanceof Socket)) {
        this.close('TLS is not possible on this stream');
        return;
      }
      tls.start(
        this.#stream,
        (secured) => this.#secured(secured),
        (reason) => this.close(`TLS failed: ${reason}`),
      );
    });
  }

  #secured(stream: Duplex): void {
    // From now on the TLS stream tells how the plain one below it ends.
    this.#stream.removeListener('close', this.#onClose);
    this.#stream = stream;
    this.#tls = true;
    this.#phase = 'handshake';
    this.#negotiation.tlsStarted();
    this.#listen();
  }

  enter(session: NbdSession, leftover: Uint8Array): void {
    this.#session = session;
    this.#unlisten();
    this.#whenSent(() => this.#transmit(session, leftover));
  }

  #transmit(session: NbdSession, leftover: Uint8Array): void {
    this.#timer.cancel();
    this.#stream.removeListener('close', this.#onClose);
    if (this.#adopted(session, leftover)) return;
    this.#phase = 'transmission';
    const { budget, maxRequestCount, lingerMs, clock } = this.#options;
    const stream = this.#stream;
    const limits = { budget, maxRequestCount, lingerMs, clock };
    this.#transmission = new Transmission({ stream, session, ...limits });
    void this.#transmission.ended.then((reason) => this.#finish(reason));
    this.#transmission.start(leftover);
    // The server may have begun to go down while the last answer was on its way.
    if (this.#options.negotiation.isShuttingDown()) this.#transmission.shutDown();
  }

  #adopted(session: NbdSession, leftover: Uint8Array): boolean {
    const { adopt } = this.#options;
    if (adopt === undefined || this.#tls || !(this.#stream instanceof Socket)) return false;
    const release = (reason: string | null = null) => {
      session.release();
      this.#finish(reason);
    };
    if (!adopt(this.#stream, leftover, { ...session, release })) return false;
    this.#phase = 'adopted';
    return true;
  }

  end(): void {
    this.#unlisten();
    this.#whenSent(() => {
      this.#stream.end();
      this.close(null);
    });
  }

  /** Hangs up at once; null when all is well. */
  close(reason: string | null): void {
    if (this.#phase === 'closed' || this.#phase === 'adopted') return;
    if (this.#transmission !== null) {
      this.#transmission.destroy(reason ?? 'closed');
      return;
    }
    this.#unlisten();
    this.#timer.cancel();
    if (reason === null) this.#destroySoon();
    else this.#stream.destroy();
    this.#session?.release();
    this.#finish(reason);
  }

  /** Lets the last bytes go first. */
  #destroySoon(): void {
    const stream = this.#stream;
    const { clock, lingerMs } = this.#options;
    const timer = clock.after(lingerMs, () => stream.destroy());
    stream.once('close', () => timer.cancel());
    stream.resume();
  }

  #finish(reason: string | null): void {
    this.#phase = 'closed';
    this.#resolveEnded(reason);
  }

  #listen(): void {
    this.#stream.on('error', this.#onError);
    this.#stream.on('close', this.#onClose);
    this.#stream.on('end', this.#onEnd);
    this.#stream.on('drain', this.#onDrain);
    this.#stream.on('data', this.#onData);
  }

  /** Stops reading; errors and the end of the stream are still heard. */
  #unlisten(): void {
    this.#stream.removeListener('data', this.#onData);
    this.#stream.removeListener('drain', this.#onDrain);
    this.#stream.removeListener('end', this.#onEnd);
    this.#stream.pause();
  }

  /** Runs `action` when everything sent so far has been taken by the system. */
  #whenSent(action: () => void): void {
    this.#afterSent = action;
    this.#runAfterSent();
  }

  #runAfterSent(): void {
    if (this.#unsentCount > 0 || this.#phase === 'closed') return;
    const action = this.#afterSent;
    this.#afterSent = null;
    action?.();
  }
}
