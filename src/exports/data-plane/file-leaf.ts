/**
 * A file, read and written on the worker's own thread as long as that does not wait for a disk.
 *
 * How it tries not to wait: reads carry RWF_NOWAIT where the file system knows it, so a read that is not cached goes to the
 * main thread's pool. Elsewhere (FUSE, and all writes) the only way to find out is to try, so every call is timed:
 * slow ones send those that follow to the main thread (slow-disk.ts).
 *
 * Bios that arrive while a split request is handed out (core/plug.ts) are held back and joined: neighbours on
 * the file become one readv or writev, so that a striped request touches each file once.
 */

import { Errno } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import { type Bio, Op } from '../../core/bio.ts';
import type { DirectAccess } from '../../core/device.ts';
import { isPlugged, unplugLater } from '../../core/plug.ts';
import { type FileCalls, TransferFlag } from '../../system/file-calls.ts';
import { IoVector, MAX_VECTOR_PIECES } from '../../system/io-vector.ts';
import { PinnedBuffer } from '../../system/pinned-buffer.ts';
import { Leaf, NEEDS_MAIN } from './direct-leaf.ts';
import type { FileRanges } from './file-ranges.ts';
import type { PlanLeaf } from './plan.ts';
import { SlowDisk } from './slow-disk.ts';

/** How many pieces may wait in a plug before they are started early. */
const QUEUE_LIMIT = MAX_VECTOR_PIECES;
/** A byte in so many is looked at before a range is sent from the file: the usual size of a read-ahead. */
const PROBE_STEP_BYTES = 128 * 1024;

/** Which disk was the reason that the request at hand goes to the main thread; null for any other reason. */
export interface Deferral {
  disk: SlowDisk | null;
}

export interface FileLeafOptions {
  files: FileCalls;
  nowMs(): number;
  /** The buffers that bios of this worker may name. */
  buffers: readonly PinnedBuffer[];
  /** While active, reads only say where their data lies. */
  ranges: FileRanges;
  deferral: Deferral;
}

export class FileLeaf extends Leaf {
  readonly #fd: number;
  readonly #writable: boolean;
  readonly #options: FileLeafOptions;
  readonly #files: FileCalls;
  readonly #ranges: FileRanges;
  readonly #vector = new IoVector();
  readonly #probe = PinnedBuffer.allocate(1);
  readonly #queue: Bio[] = [];
  readonly #slowness = new SlowDisk();
  /** The file is memory: no call waits for a disk, however long it takes. */
  readonly #inMemory: boolean;
  #readFlags: number;

  constructor(
    leaf: PlanLeaf,
    direct: Extract<DirectAccess, { kind: 'file' }>,
    options: FileLeafOptions,
  ) {
    super(leaf);
    this.#fd = direct.fd;
    this.#writable = direct.writable;
    this.#inMemory = direct.inMemory;
    this.#options = options;
    this.#files = options.files;
    this.#ranges = options.ranges;
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

  #locate(bio: Bio): number {
    if (bio.op !== Op.read) return NEEDS_MAIN;
    const position = bio.sector * SECTOR_BYTES;
    const last = position + bio.lengthBytes - 1;
    if (!this.#canSend(last)) return NEEDS_MAIN;
    if (!this.#inMemory) {
      for (let at = position; at < last; at += PROBE_STEP_BYTES) {
        if (!this.#canSend(at)) return NEEDS_MAIN;
      }
    }
    this.#ranges.add(this.#fd, position, bio.lengthBytes);
    return 0;
  }

  /** Sending waits for the disk, and cannot be taken back once begun: only what is there, and in memory, may be sent. */
  #canSend(positionBytes: number): boolean {
    const flags = this.#inMemory ? TransferFlag.none : TransferFlag.noWait;
    return this.#files.read(this.#fd, this.#probe, 0, 1, positionBytes, flags) === 1;
  }

  #transferOne(bio: Bio): number {
    if (this.#inMemory && this.#transferInOneCall(bio)) return 0;
    const vector = this.#vector;
    vector.clear();
    vector.append(this.#bufferOf(bio), bio.dataOffset, bio.lengthBytes);
    return this.#transfer(bio.op, bio.sector * SECTOR_BYTES);
  }

  /** The usual request on memory, without the cost of a vector; false when less than all was moved. */
  #transferInOneCall(bio: Bio): boolean {
    const buffer = this.#bufferOf(bio);
    const { dataOffset, lengthBytes } = bio;
    const position = bio.sector * SECTOR_BYTES;
    const flags = TransferFlag.none;
    const count =
      bio.op === Op.read
        ? this.#files.read(this.#fd, buffer, dataOffset, lengthBytes, position, flags)
        : this.#files.write(this.#fd, buffer, dataOffset, lengthBytes, position, flags);
    return count === lengthBytes;
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
    for (const buffer of this.#options.buffers) if (buffer.bytes === bio.data) return buffer;
    throw new Error('Bug in devmapper: a worker bio names memory that is not pinned');
  }

  /** Moves the whole vector to or from `positionBytes`; 0, or the errno that its bios end with. */
  #transfer(op: Op, positionBytes: number): number {
    const mayWait = op === Op.write || this.#readFlags === TransferFlag.none;
    if (this.#inMemory || !mayWait) return this.#transferAll(op, positionBytes);
    const { nowMs, deferral } = this.#options;
    const startMs = nowMs();
    if (this.#slowness.isSuspected(startMs)) {
      deferral.disk = this.#slowness;
      return NEEDS_MAIN;
    }
    const { totalBytes } = this.#vector;
    const error = this.#transferAll(op, positionBytes);
    const endMs = nowMs();
    this.#slowness.noteCall(endMs - startMs, totalBytes, endMs);
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
        return this.#transfer(op, position);
      }
      if (count < 0) return -count;
      // The end of a file that shrank, or the end of what is cached: the main thread finds out which.
      if (count === 0) return NEEDS_MAIN;
      vector.consume(count);
      position += count;
    }
    return 0;
  }
}
