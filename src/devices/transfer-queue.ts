/**
 * Reads and writes of one descriptor: neighbours joined, what is cached done at once, the rest on libuv's thread pool.
 *
 * At most `limit` are in the pool at a time, in the order they came, so that a slow disk takes a few of its threads and
 * never all: the other devices of the process need them.
 */

import { Errno } from '../base/errors.ts';
import { type Bio, Op } from '../core/bio.ts';
import { beginPlug, endPlug, isPlugged, type PluggedQueue, unplugLater } from '../core/plug.ts';
import type { CachedIo } from './cached-io.ts';
import { ioErrno } from './leaf-bio.ts';
import type { PoolCalls } from './pool-calls.ts';
import type { Done } from './sync-queue.ts';
import { Transfer } from './transfer.ts';

/** Linux moves at most 2 GiB - 4 KiB a call, and Node less in some versions. */
const MAX_CALL_BYTES = 1024 * 1024 * 1024;

export interface TransferQueueOptions {
  /** Asked for each call: it changes when the device is upgraded. */
  fd(): number;
  calls: PoolCalls;
  limit: number;
  /** null: everything goes to the pool. */
  cached: CachedIo | null;
  /** Makes what was written durable, for FUA. */
  sync(done: Done): void;
  /** Every bio that was submitted comes here once. */
  end(bio: Bio, errno: number): void;
}

export class TransferQueue implements PluggedQueue {
  readonly #options: TransferQueueOptions;
  #held: Transfer[] = [];
  readonly #waiting: Transfer[] = [];
  #runningCount = 0;

  constructor(options: TransferQueueOptions) {
    this.#options = options;
  }

  submit(bio: Bio): void {
    if (!isPlugged()) {
      this.#start(new Transfer(bio));
      return;
    }
    if (this.#held.length === 0) unplugLater(this);
    if (!this.#held.at(-1)?.join(bio)) this.#held.push(new Transfer(bio));
  }

  unplug(): void {
    const held = this.#held;
    this.#held = [];
    for (const transfer of held) this.#start(transfer);
  }

  #start(transfer: Transfer): void {
    const { cached } = this.#options;
    if (cached) transfer.doneBytes = cached.attempt(this.#options.fd(), transfer);
    if (transfer.doneBytes === transfer.lengthBytes) this.#finish(transfer, 0);
    else if (this.#runningCount < this.#options.limit) this.#run(transfer);
    else this.#waiting.push(transfer);
  }

  #run(transfer: Transfer): void {
    this.#runningCount += 1;
    this.#transfer(transfer);
  }

  #transfer(transfer: Transfer): void {
    const pieces = transfer.remainingPieces();
    const position = transfer.startBytes + transfer.doneBytes;
    const done = (error: Error | null, count: number) => this.#advance(transfer, error, count);
    const { calls } = this.#options;
    const fd = this.#options.fd();
    const isRead = transfer.op === Op.read;
    if (pieces.length > 1) {
      if (isRead) calls.readVector(fd, pieces, position, done);
      else calls.writeVector(fd, pieces, position, done);
      return;
    }
    const piece = pieces[0]!;
    const length = Math.min(piece.byteLength, MAX_CALL_BYTES);
    if (isRead) calls.read(fd, piece, length, position, done);
    else calls.write(fd, piece, length, position, done);
  }

  /** A call answered. Fewer bytes than asked for are gone on with; none at all means that the file ends there. */
  #advance(transfer: Transfer, error: Error | null, count: number): void {
    if (!error && count > 0) {
      transfer.doneBytes += count;
      if (transfer.doneBytes < transfer.lengthBytes) {
        this.#transfer(transfer);
        return;
      }
    }
    this.#runningCount -= 1;
    const next = this.#waiting.shift();
    if (next) this.#run(next);
    if (error) this.#finish(transfer, ioErrno(error));
    else this.#finish(transfer, transfer.doneBytes < transfer.lengthBytes ? Errno.EIO : 0);
  }

  #finish(transfer: Transfer, errno: number): void {
    if (errno === 0 && transfer.fua)
      this.#options.sync((syncErrno) => this.#endBios(transfer, syncErrno));
    else this.#endBios(transfer, errno);
  }

  /**
   * After an error, bios that were done whole before it did not fail — unless they had to become durable.
   * Neighbours that ended together often lead to more of the same: what they submit now is joined again.
   */
  #endBios({ bios, doneBytes, fua }: Transfer, errno: number): void {
    let endBytes = 0;
    beginPlug();
    for (const bio of bios) {
      endBytes += bio.lengthBytes;
      this.#options.end(bio, endBytes <= doneBytes && !fua ? 0 : errno);
    }
    endPlug();
  }
}
