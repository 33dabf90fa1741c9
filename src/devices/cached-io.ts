/**
 * Reads and writes of what is in the page cache, on this thread, at a tenth of what the thread pool costs.
 *
 * The kernel is asked not to wait (RWF_NOWAIT); where the file system cannot promise that (ext4 for writes, FUSE) nothing is
 * tried, but for file systems that are memory (tmpfs). As even memory may be swapped out and a lock may be held, every call is
 * timed: one of more than a millisecond stops all trying for a while, and for twice as long each time the next is slow, too.
 */

import type { Clock } from '../base/clock.ts';
import { Errno } from '../base/errors.ts';
import { Op } from '../core/bio.ts';
import { type FileCalls, TransferFlag } from '../system/file-calls.ts';
import { IoVector, MAX_VECTOR_PIECES } from '../system/io-vector.ts';
import { PinnedBuffer } from '../system/pinned-buffer.ts';
import type { Transfer } from './transfer.ts';

/** Copying more than this takes a good part of a millisecond by itself. */
const MAX_BYTES = 1024 * 1024;
const SLOW_CALL_MS = 1;
/** A pause is some times as long as the call was, so that slow calls never take more than a part of this thread's time. */
const PAUSE_FACTOR = 5;
const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 5000;

/** Of the memory bios name: few buffers that live long, so each is pinned once. */
const pinnedByMemory = new WeakMap<ArrayBufferLike, PinnedBuffer>();

function pin(memory: ArrayBufferLike): PinnedBuffer {
  const known = pinnedByMemory.get(memory);
  if (known) return known;
  const pinned = PinnedBuffer.wrap(new Uint8Array(memory));
  pinnedByMemory.set(memory, pinned);
  return pinned;
}

export class CachedIo {
  readonly #files: FileCalls;
  readonly #clock: Clock;
  readonly #flags: number;
  readonly #vector = new IoVector();
  #readsWork = true;
  #writesWork = true;
  #pausedUntilMs = 0;
  #slowCount = 0;

  /** `inMemory`: the file system is memory, so a plain call waits for nothing. */
  constructor(options: { files: FileCalls; clock: Clock; inMemory: boolean }) {
    this.#files = options.files;
    this.#clock = options.clock;
    this.#flags = options.inMemory ? TransferFlag.none : TransferFlag.noWait;
  }

  /** How many bytes of the transfer were done at once; 0 where it would have to wait, or fails. */
  attempt(fd: number, transfer: Transfer): number {
    const isRead = transfer.op === Op.read;
    if (!(isRead ? this.#readsWork : this.#writesWork) || !this.#fits(transfer)) return 0;
    const startMs = this.#clock.nowMs();
    if (startMs < this.#pausedUntilMs) return 0;
    const result = this.#call(fd, transfer, isRead);
    this.#learn(startMs, this.#clock.nowMs());
    if (result === -Errno.ENOTSUP) {
      if (isRead) this.#readsWork = false;
      else this.#writesWork = false;
    }
    return Math.max(0, result);
  }

  #fits({ lengthBytes, bios }: Transfer): boolean {
    return lengthBytes <= MAX_BYTES && bios.length <= MAX_VECTOR_PIECES;
  }

  #call(fd: number, transfer: Transfer, isRead: boolean): number {
    const vector = this.#vector;
    vector.clear();
    for (const bio of transfer.bios) {
      const { data } = bio;
      vector.append(pin(data.buffer), data.byteOffset + bio.dataOffset, bio.lengthBytes);
    }
    return isRead
      ? this.#files.readVector(fd, vector, transfer.startBytes, this.#flags)
      : this.#files.writeVector(fd, vector, transfer.startBytes, this.#flags);
  }

  #learn(startMs: number, endMs: number): void {
    const tookMs = endMs - startMs;
    if (tookMs <= SLOW_CALL_MS) {
      this.#slowCount = 0;
      return;
    }
    const pauseMs = Math.max(SHORTEST_PAUSE_MS, tookMs * PAUSE_FACTOR) * 2 ** this.#slowCount;
    this.#slowCount += 1;
    this.#pausedUntilMs = endMs + Math.min(pauseMs, LONGEST_PAUSE_MS);
  }
}
