/** One request to the server and what has come of its reply. Pooled: nothing is allocated on the path of a bio. */

import { NO_DATA } from '../../core/bio.ts';
import type { StatusExtent } from '../../protocols/nbd/chunk.ts';
import { Command } from '../../protocols/nbd/constants.ts';
import { Coverage } from './coverage.ts';

export interface RequestOwner {
  /** Once per request, after which the request is the owner's to recycle. */
  requestEnded(request: RemoteRequest, errno: number): void;
}

/** Shaped so that the codecs of protocols/nbd/request.ts take it as it is. */
export class RemoteRequest {
  command: number = Command.read;
  flags = 0;
  /** Set by the connection that sends it. */
  cookieHigh = 0;
  cookieLow = 0;
  offsetBytes = 0;
  lengthBytes = 0;
  /** What a write sends and where a read goes, from `dataOffset` on. */
  data: Uint8Array = NO_DATA;
  dataOffset = 0;
  owner: RequestOwner | null = null;
  /** Fails it quietly when earlier writes may be lost: somebody else's flush has to report that. */
  quietAboutLoss = false;

  /** It was in flight when a connection was lost, and goes out for the second and last time. */
  replayed = false;
  /** Of a flush: acknowledged writes that it covers. */
  coveredSerial = 0;
  /** The watchdog's count when it was accepted, and when it was sent last. */
  acceptedTick = 0;
  sentTick = 0;
  /** The system reads its data from where it is, until all has been sent. */
  lendsData = false;
  /** Where it ends in the stream of bytes to the server. */
  sentEndBytes = 0;

  /** errno of the first error in the reply. */
  error = 0;
  message = '';
  /** Which bytes of a read have arrived. */
  readonly coverage = new Coverage();
  extents: StatusExtent[] | null = null;

  /** In the queue of those that wait for a connection. */
  next: RemoteRequest | null = null;

  /** Before it is sent, the first time or again. */
  clearReply(): void {
    this.error = 0;
    this.message = '';
    this.coverage.clear();
    this.extents = null;
  }
}

const pool: RemoteRequest[] = [];
const POOL_LIMIT = 1024;

export function takeRequest(): RemoteRequest {
  return pool.pop() ?? new RemoteRequest();
}

export function recycleRequest(request: RemoteRequest): void {
  if (pool.length >= POOL_LIMIT) return;
  request.flags = 0;
  request.data = NO_DATA;
  request.dataOffset = 0;
  request.owner = null;
  request.quietAboutLoss = false;
  request.replayed = false;
  request.clearReply();
  pool.push(request);
}

/** First in, first out, without allocation. */
export class RequestQueue {
  #head: RemoteRequest | null = null;
  #tail: RemoteRequest | null = null;

  get isEmpty(): boolean {
    return this.#head === null;
  }

  push(request: RemoteRequest): void {
    request.next = null;
    if (this.#tail) this.#tail.next = request;
    else this.#head = request;
    this.#tail = request;
  }

  /** Back to the front: those that were in flight go out again before those that never were. */
  unshift(request: RemoteRequest): void {
    request.next = this.#head;
    this.#head = request;
    this.#tail ??= request;
  }

  shift(): RemoteRequest | null {
    const request = this.#head;
    if (!request) return null;
    this.#head = request.next;
    if (!this.#head) this.#tail = null;
    request.next = null;
    return request;
  }

  /** Empties it. */
  takeAll(): RemoteRequest[] {
    const taken: RemoteRequest[] = [];
    for (let request = this.shift(); request; request = this.shift()) taken.push(request);
    return taken;
  }
}
