/** The worker's account of the requests that the main thread has: how many, how large, and on account of which disk. */

import { Command } from '../../../protocols/nbd/constants.ts';
import type { Request } from '../../../protocols/nbd/request.ts';
import type { SlowDisk } from '../../data-plane/slow-disk.ts';
import type { WorkerLimits } from './messages.ts';

/** What a block status answer may need while it is gathered. */
const STATUS_COST_BYTES = 1024 * 1024;

interface Forwarded {
  costBytes: number;
  lengthBytes: number;
  slowDisk: SlowDisk | null;
}

export class Forwarding {
  /** All there ever were. */
  totalCount = 0;
  readonly #limits: WorkerLimits;
  readonly #underWay = new Map<number, Forwarded>();
  #costBytes = 0;

  constructor(limits: WorkerLimits) {
    this.#limits = limits;
  }

  get isIdle(): boolean {
    return this.#underWay.size === 0;
  }

  /** No more until one is answered. */
  get isFull(): boolean {
    const { maxForwardedRequests, maxForwardedBytes } = this.#limits;
    return this.#underWay.size >= maxForwardedRequests || this.#costBytes >= maxForwardedBytes;
  }

  /** Returns the request's number, which its answer carries. */
  add(request: Request, payloadBytes: number, slowDisk: SlowDisk | null): number {
    this.totalCount += 1;
    const id = this.totalCount;
    const costBytes = payloadBytes + this.#replyCost(request);
    this.#underWay.set(id, { costBytes, lengthBytes: request.lengthBytes, slowDisk });
    this.#costBytes += costBytes;
    return id;
  }

  answered(id: number, durationMs: number): void {
    const request = this.#underWay.get(id);
    if (request === undefined) return;
    this.#underWay.delete(id);
    this.#costBytes -= request.costBytes;
    request.slowDisk?.noteAnswer(durationMs, request.lengthBytes);
  }

  #replyCost({ command, lengthBytes }: Request): number {
    if (command === Command.blockStatus) return STATUS_COST_BYTES;
    // A larger read is refused.
    const isRead = command === Command.read && lengthBytes <= this.#limits.maxPayloadBytes;
    return isRead ? lengthBytes : 0;
  }
}
