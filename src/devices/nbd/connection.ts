/**
 * One connection in the transmission phase: numbers requests, sends them, matches replies to them.
 *
 * Invariants
 * - A request given to `send` comes back exactly once: through `requestDone`, or in the list of `connectionLost`.
 * - A cookie is the slot of its request and a count that never comes twice, so that no reply, late or invented, meets the wrong request.
 * - No reply ends a request before all its bytes have left: until then the system still reads from the writer's buffer.
 */

import { FormatError } from '../../base/errors.ts';
import { Command, CommandFlag } from '../../protocols/nbd/constants.ts';
import {
  encodeExtendedRequest,
  encodeRequest,
  requestHeaderBytes,
} from '../../protocols/nbd/request.ts';
import type { ExportInfo } from './export-info.ts';
import { closedError } from './handshake-stream.ts';
import { Outbox } from './outbox.ts';
import { RemoteRequest } from './remote-request.ts';
import { ReplyReader } from './reply-reader.ts';
import type { Wire } from './wire.ts';

/** Requests in flight on one connection; what is beyond waits here instead of in the server. */
export const SLOT_COUNT = 128;
const WORD = 2 ** 32;

export interface ConnectionOwner {
  /** The server answered; `request.error` is the outcome. */
  requestDone(connection: Connection, request: RemoteRequest): void;
  /** Once. The requests never got their answer. */
  connectionLost(connection: Connection, unanswered: RemoteRequest[], cause: Error): void;
}

export class Connection {
  readonly info: ExportInfo;
  readonly #wire: Wire;
  readonly #owner: ConnectionOwner;
  readonly #outbox: Outbox;
  readonly #reader: ReplyReader;
  readonly #headerBytes: number;
  readonly #slots: (RemoteRequest | null)[] = new Array<null>(SLOT_COUNT).fill(null);
  readonly #free = Array.from({ length: SLOT_COUNT }, (_, index) => SLOT_COUNT - 1 - index);
  #sentCount = 0;
  #receivedBytes = 0;
  #open = true;
  #ending = false;
  #whenClosed: (() => void)[] = [];

  constructor(wire: Wire, info: ExportInfo, owner: ConnectionOwner) {
    this.info = info;
    this.#wire = wire;
    this.#owner = owner;
    this.#outbox = new Outbox(wire);
    this.#headerBytes = requestHeaderBytes(info.replies === 'extended');
    this.#reader = new ReplyReader({
      kind: info.replies,
      allocationContextId: info.allocationContextId,
      target: {
        find: (high, low) => this.#find(high, low),
        finish: (request) => this.#finish(request),
      },
    });
    wire.onBytes = (bytes) => this.receive(bytes);
    wire.onClose = (cause) => this.#closed(cause);
  }

  get inFlightCount(): number {
    return SLOT_COUNT - this.#free.length;
  }

  get hasRoom(): boolean {
    return this.#open && !this.#ending && this.#free.length > 0;
  }

  /** Grows as long as something moves in either direction. */
  get movedBytes(): number {
    return this.#receivedBytes + this.#outbox.flushedBytes;
  }

  /** The watchdog's count when the oldest request in flight was sent; Infinity: none is. */
  get oldestSentTick(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const request of this.#slots) {
      if (request && request.sentTick < oldest) oldest = request.sentTick;
    }
    return oldest;
  }

  /** Only while `hasRoom`. */
  send(request: RemoteRequest): void {
    const slot = this.#free.pop()!;
    this.#slots[slot] = request;
    this.#sentCount += 1;
    request.cookieHigh = this.#sentCount % WORD;
    request.cookieLow = slot;
    request.clearReply();
    request.lendsData = !this.#write(request);
    request.sentEndBytes = this.#outbox.queuedBytes;
  }

  /** Returns whether the request's data was copied, or there is none. */
  #write(request: RemoteRequest): boolean {
    const isWrite = request.command === Command.write;
    const outbox = this.#outbox;
    const at = outbox.reserve(this.#headerBytes);
    if (this.info.replies === 'extended') {
      const { flags } = request;
      if (isWrite) request.flags |= CommandFlag.payloadLength;
      encodeExtendedRequest(outbox.buffer, at, request);
      request.flags = flags;
    } else {
      encodeRequest(outbox.buffer, at, request);
    }
    if (!isWrite) return true;
    const { data, dataOffset, lengthBytes } = request;
    const whole = dataOffset === 0 && lengthBytes === data.length;
    return outbox.append(whole ? data : data.subarray(dataOffset, dataOffset + lengthBytes));
  }

  receive(bytes: Uint8Array): void {
    if (!this.#open) return;
    this.#receivedBytes += bytes.length;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.drop(error);
    }
  }

  #find(cookieHigh: number, cookieLow: number): RemoteRequest | null {
    const request = this.#slots[cookieLow];
    return request && request.cookieHigh === cookieHigh ? request : null;
  }

  #finish(request: RemoteRequest): void {
    const { begunBytes, flushedBytes } = this.#outbox;
    if (request.sentEndBytes > (request.lendsData ? flushedBytes : begunBytes)) {
      throw new FormatError({
        format: 'NBD reply',
        field: 'cookie',
        offsetBytes: 8,
        expected: 'that of a request sent in full',
        got: 'one on its way',
      });
    }
    this.#slots[request.cookieLow] = null;
    this.#free.push(request.cookieLow);
    this.#owner.requestDone(this, request);
  }

  /** Gives the connection up: what is in flight goes back unanswered. */
  drop(cause: Error): void {
    if (!this.#open) return;
    this.#open = false;
    this.#reader.stop();
    this.#wire.destroy();
    this.#settle();
    const unanswered = this.#slots.filter((request) => request !== null);
    this.#slots.fill(null);
    this.#owner.connectionLost(this, unanswered, cause);
  }

  #closed(cause: Error | null): void {
    const cut = this.#reader.atBoundary ? null : 'in the middle of a reply';
    const error = closedError(cause);
    this.drop(cut === null ? error : new Error(`${error.message} ${cut}`, { cause: error }));
  }

  #settle(): void {
    for (const resolve of this.#whenClosed.splice(0)) resolve();
  }

  /** Says goodbye, as the protocol wants it; resolves when the connection is closed. Only when nothing is in flight. */
  disconnect(): Promise<void> {
    if (!this.#open) return Promise.resolve();
    this.#ending = true;
    const goodbye = new RemoteRequest();
    goodbye.command = Command.disconnect;
    this.#write(goodbye);
    this.#outbox.flush();
    // All requests were answered, so nothing of them is still to be written.
    this.#wire.end();
    return new Promise((resolve) => this.#whenClosed.push(resolve));
  }
}
