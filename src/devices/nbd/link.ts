/**
 * One connection kept alive: connects, and when it is lost connects again after a pause that doubles each time. The pause starts
 * over only once the server has answered a request, so that one which accepts and hangs up is not hammered.
 */

import type { Clock, Timer } from '../../base/clock.ts';
import { DmError } from '../../base/errors.ts';
import { Connection, type ConnectionOwner } from './connection.ts';
import type { Established } from './establish.ts';
import type { RemoteRequest } from './remote-request.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A server that does not hang up after our goodbye. */
const GOODBYE_MS = 2_000;

export interface LinkOwner {
  /** Says why a connection that has just been made is of no use; null: it is. */
  accept(link: Link, established: Established): string | null;
  linkUp(link: Link): void;
  linkDown(link: Link, unanswered: RemoteRequest[], cause: Error): void;
  connectFailed(link: Link, error: DmError): void;
  requestDone(link: Link, request: RemoteRequest): void;
}

export interface LinkOptions {
  clock: Clock;
  establish: (signal: AbortSignal) => Promise<Established>;
  owner: LinkOwner;
}

export class Link implements ConnectionOwner {
  /** Acknowledged writes when it was made: it can vouch for all later ones. Set by the owner. */
  establishedSerial = 0;
  /** The watchdog's: what had moved when it looked last, and how often it has seen no change since. */
  movedBytes = 0;
  quietTicks = 0;

  readonly #clock: Clock;
  readonly #establish: LinkOptions['establish'];
  readonly #owner: LinkOwner;
  readonly #abort = new AbortController();
  #connection: Connection | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(options: LinkOptions) {
    this.#clock = options.clock;
    this.#establish = options.establish;
    this.#owner = options.owner;
  }

  /** null: not connected at the moment. */
  get connection(): Connection | null {
    return this.#connection;
  }

  /** Connects in the background; failures lead to another attempt. */
  start(): void {
    void this.#connect();
  }

  async #connect(): Promise<void> {
    let established: Established;
    try {
      established = await this.#establish(this.#abort.signal);
    } catch (error) {
      if (!(error instanceof DmError)) throw error;
      this.#failed(error);
      return;
    }
    this.adopt(established);
  }

  /** Goes on with a connection that is there. */
  adopt(established: Established): void {
    if (this.#stopped) {
      established.wire.destroy();
      return;
    }
    const objection = this.#owner.accept(this, established);
    if (objection !== null) {
      established.wire.destroy();
      return;
    }
    this.quietTicks = 0;
    const connection = new Connection(established.wire, established.info, this);
    this.#connection = connection;
    if (established.early.length > 0) connection.receive(established.early);
    if (this.#connection === connection) this.#owner.linkUp(this);
  }

  #failed(error: DmError): void {
    if (this.#stopped) return;
    this.#owner.connectFailed(this, error);
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.after(this.#pauseMs, () => {
      this.#timer = null;
      this.start();
    });
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  requestDone(_connection: Connection, request: RemoteRequest): void {
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#owner.requestDone(this, request);
  }

  connectionLost(_connection: Connection, unanswered: RemoteRequest[], cause: Error): void {
    this.#connection = null;
    this.#owner.linkDown(this, unanswered, cause);
    this.#retryLater();
  }

  /** No more attempts; a connection that is there is ended in order. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#abort.abort();
    const connection = this.#connection;
    if (!connection) return;
    const timer = this.#clock.after(GOODBYE_MS, () =>
      connection.drop(new DmError('ETIMEDOUT', 'the server did not close the connection')),
    );
    await connection.disconnect();
    timer.cancel();
  }

  /** No more attempts; a connection that is there is dropped. */
  kill(cause: Error): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#abort.abort();
    this.#connection?.drop(cause);
  }
}
