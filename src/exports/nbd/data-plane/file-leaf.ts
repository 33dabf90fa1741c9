/**
 * A file, read and written on the worker's own thread as long as that does not wait for a disk.
 *
 * How it tries not to wait: reads carry RWF_NOWAIT where the file system knows it, so a read that is not cached goes to the
 * main thread's pool. Elsewhere (FUSE, and all writes) the only way to find out is to try, so every call is timed:
 * slow ones send those that follow to the main thread, for longer each time it happens again.
 *
 * Bios that arrive while a split request is handed out (core/plug.ts) are held back and joined: neighbours on
 * the file become one readv or writev, so that a striped request touches each file once.
 */

import { Errno } from '../../../base/errors.ts';
import { SECTOR_BYTES } from '../../../base/units.ts';
import { type Bio, Op } from '../../../core/bio.ts';
import { isPlugged, unplugLater } from '../../../core/plug.ts';
import { type FileCalls, TransferFlag } from '../../../system/file-calls.ts';
import { IoVector, MAX_VECTOR_PIECES } from '../../../system/io-vector.ts';
import { PinnedBuffer } from '../../../system/pinned-buffer.ts';
import { FileSystemMagic, type SpaceCalls } from '../../../system/space-calls.ts';
import { Leaf, NEEDS_MAIN } from './direct-leaf.ts';
import type { FileRanges } from './file-ranges.ts';
import type { PlanLeaf } from './plan.ts';

const SLOW_CALL_MS = 2;
/** One alone may be the scheduler's doing; that many in a row, or one this long, are the disk's. */
const SLOW_CALLS = 3;
const VERY_SLOW_CALL_MS = 20;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5000;

/** How many pieces may wait in a plug before they are started early. */
const QUEUE_LIMIT = MAX_VECTOR_PIECES;

export interface FileLeafOptions {
  files: FileCalls;
  space: SpaceCalls;
  nowMs(): number;
  /** The buffers that bios of this worker may name. */
  buffers: readonly PinnedBuffer[];
  /** While active, reads only say where their data lies. */
  ranges: FileRanges;
  /** Whether the descriptor is a regular file; the file system under a device node says nothing about its speed. */
  isRegularFile(fd: number): boolean;
}

export class FileLeaf extends Leaf {
  readonly #fd: number;
  readonly #writable: boolean;
  readonly #files: FileCalls;
  readonly #nowMs: () => number;
  readonly #buffers: readonly PinnedBuffer[];
  readonly #ranges: FileRanges;
  readonly #vector = new IoVector();
  readonly #probe = PinnedBuffer.allocate(1);
  readonly #queue: Bio[] = [];
  /** The file is memory: no call waits for a disk, however long it takes. */
  readonly #inMemory: boolean;
  #readFlags: number;
  #slowCallCount = 0;
  #pausedUntilMs = 0;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(leaf: PlanLeaf, direct: { fd: number; writable: boolean }, options: FileLeafOptions) {
    super(leaf);
    this.#fd = direct.fd;
    this.#writable = direct.writable;
    this.#files = options.files;
    this.#nowMs = options.nowMs;
    this.#buffers = options.buffers;
    this.#ranges = options.ranges;
    this.#inMemory =
      options.isRegularFile(direct.fd) &&
      options.space.fileSystemMagic(direct.fd) === FileSystemMagic.tmpfs;
    this.#readFlags = this.#inMemory ? TransferFlag.none : TransferFlag.noWait;
  }

  submit(bio: Bio): void {
    if (bio.op !== Op.read && !(bio.op === Op.write && this.#writable)) {
      bio.end(NEEDS_MAIN);
      return;
    }
    if (this.#ranges.active) {
      bio.end(this.#locate(bio));
      return;
    }
    if (!isPlugged()) {
      bio.end(this.#transferOne(bio));
      return;
    }
    if (this.#queue.length === 0) unplugLater(this);
    this.#queue.push(bio);
    if (this.#queue.length === QUEUE_LIMIT) this.#startQueue();
  }

  unplug(): void {
    this.#startQueue();
  }

  /** Only what is in memory may be sent from the file: where its last byte is cached, the rest most likely is. */
  #locate(bio: Bio): number {
    const position = bio.sector * SECTOR_BYTES;
    if (bio.op !== Op.read) return NEEDS_MAIN;
    if (!this.#inMemory) {
      const last = position + bio.lengthBytes - 1;
      const noWait = TransferFlag.noWait;
      if (this.#files.read(this.#fd, this.#probe, 0, 1, last, noWait) !== 1) return NEEDS_MAIN;
    }
    this.#ranges.add(this.#fd, position, bio.lengthBytes);
    return 0;
  }

  #transferOne(bio: Bio): number {
    const vector = this.#vector;
    vector.clear();
    vector.append(this.#bufferOf(bio), bio.dataOffset, bio.lengthBytes);
    return this.#transfer(bio.op, bio.sector * SECTOR_BYTES);
  }

  /** Joins runs of neighbours; a run that fails ends its bios with the error and the others go on. */
  #startQueue(): void {
    const queue = this.#queue;
    let first = 0;
    while (first < queue.length) {
      const next = this.#gatherRun(first);
      const run = queue[first]!;
      const error = this.#transfer(run.op, run.sector * SECTOR_BYTES);
      for (; first < next; first += 1) queue[first]!.end(error);
    }
    queue.length = 0;
  }

  /** Fills the vector with the run that begins at `first` and returns the index behind it. */
  #gatherRun(first: number): number {
    const queue = this.#queue;
    const vector = this.#vector;
    vector.clear();
    const { op } = queue[first]!;
    let { sector } = queue[first]!;
    let index = first;
    for (; index < queue.length; index += 1) {
      const bio = queue[index]!;
      if (bio.op !== op || bio.sector !== sector) break;
      vector.append(this.#bufferOf(bio), bio.dataOffset, bio.lengthBytes);
      sector += bio.sectorCount;
    }
    return index;
  }

  #bufferOf(bio: Bio): PinnedBuffer {
    for (const buffer of this.#buffers) if (buffer.bytes === bio.data) return buffer;
    throw new Error('Bug in devmapper: a worker bio names memory that is not pinned');
  }

  /** Moves the whole vector to or from `positionBytes`; 0, or the errno that its bios end with. */
  #transfer(op: Op, positionBytes: number): number {
    if (this.#inMemory) return this.#transferAll(op, positionBytes);
    const timed = op === Op.write || this.#readFlags === TransferFlag.none;
    if (timed && this.#pausedUntilMs > 0 && this.#nowMs() < this.#pausedUntilMs) return NEEDS_MAIN;
    const startMs = timed ? this.#nowMs() : 0;
    const error = this.#transferAll(op, positionBytes);
    if (timed) this.#noteDuration(this.#nowMs() - startMs);
    return error;
  }

  #transferAll(op: Op, positionBytes: number): number {
    const vector = this.#vector;
    let position = positionBytes;
    while (vector.totalBytes > 0) {
      const count =
        op === Op.read
          ? this.#files.readVector(this.#fd, vector, position, this.#readFlags)
          : this.#files.writeVector(this.#fd, vector, position, TransferFlag.none);
      if (count === -Errno.ENOTSUP && op === Op.read && this.#readFlags !== TransferFlag.none) {
        this.#readFlags = TransferFlag.none;
        continue;
      }
      if (count < 0) return -count;
      // The end of a file that shrank, or the end of what is cached: the main thread finds out which.
      if (count === 0) return NEEDS_MAIN;
      vector.consume(count);
      position += count;
    }
    return 0;
  }

  #noteDuration(durationMs: number): void {
    if (durationMs < SLOW_CALL_MS) {
      this.#slowCallCount = 0;
      this.#pausedUntilMs = 0;
      this.#pauseMs = FIRST_PAUSE_MS;
      return;
    }
    this.#slowCallCount += 1;
    if (this.#slowCallCount < SLOW_CALLS && durationMs < VERY_SLOW_CALL_MS) return;
    this.#pausedUntilMs = this.#nowMs() + this.#pauseMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}
