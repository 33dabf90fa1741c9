/** A device over an open file, regular or block node: everything that does not depend on which. */

import { Errno } from '../base/errors.ts';
import { poolThreadCount } from '../base/thread-pool.ts';
import { sectorsToBytes } from '../base/units.ts';
import { type Bio, BioFlag, Op } from '../core/bio.ts';
import type { DeviceNumber, DirectAccess } from '../core/device.ts';
import type { Limits } from '../core/limits.ts';
import { Mutex } from '../core/mutex.ts';
import type { CachedIo } from './cached-io.ts';
import type { Descriptor } from './descriptor.ts';
import type { LeafDevice } from './device-kind.ts';
import { ioErrno, isPrefetch, refusalOf } from './leaf-bio.ts';
import { nodePoolCalls, type PoolCalls } from './pool-calls.ts';
import { type ByteRange, prefetchBytes, type Space, writeZeroBytes } from './space.ts';
import { SyncQueue } from './sync-queue.ts';
import { TransferQueue } from './transfer-queue.ts';

export interface DescriptorDeviceOptions {
  number: DeviceNumber;
  /** Quoted. */
  operand: string;
  descriptor: Descriptor;
  sizeSectors: number;
  /** Asked again after an upgrade: what a file can do may only be seen once it is writable. */
  limits(descriptor: Descriptor): Limits;
  space: Space;
  cached: CachedIo | null;
  /** The file lies in memory, for those who read it by themselves. */
  inMemory: boolean;
  calls?: PoolCalls;
}

export class DescriptorDevice implements LeafDevice {
  readonly number: DeviceNumber;
  readonly operand: string;
  readonly sizeSectors: number;
  readonly #options: DescriptorDeviceOptions;
  readonly #descriptor: Descriptor;
  readonly #calls: PoolCalls;
  readonly #transfers: TransferQueue;
  readonly #syncs: SyncQueue;
  /** Discards, zeroes, block status and prefetches, one at a time: they take one thread of the pool and no more. */
  readonly #special = new Mutex();
  #limits: Limits;
  #pendingCount = 0;
  /** Something may have been written: by a request, or by whoever was told of the descriptor. */
  #mayBeDirty = false;
  #closed: Promise<void> | null = null;
  #idle: (() => void) | null = null;

  constructor(options: DescriptorDeviceOptions) {
    this.number = options.number;
    this.operand = options.operand;
    this.sizeSectors = options.sizeSectors;
    this.#options = options;
    this.#descriptor = options.descriptor;
    this.#limits = options.limits(options.descriptor);
    const fd = () => this.#descriptor.fd;
    this.#calls = options.calls ?? nodePoolCalls;
    this.#syncs = new SyncQueue(fd, this.#calls, options.inMemory);
    this.#transfers = new TransferQueue({
      fd,
      calls: this.#calls,
      limit: poolShare(),
      cached: options.cached,
      sync: (done) => this.#syncs.sync(done),
      end: (bio, errno) => this.#end(bio, errno),
    });
  }

  get limits(): Limits {
    return this.#limits;
  }

  get readOnly(): boolean {
    return !this.#descriptor.writable;
  }

  get direct(): DirectAccess {
    const { fd, writable } = this.#descriptor;
    this.#mayBeDirty ||= writable;
    return { kind: 'file', fd, writable, inMemory: this.#options.inMemory };
  }

  upgrade(): void {
    this.#descriptor.upgrade();
    this.#limits = this.#options.limits(this.#descriptor);
  }

  submit(bio: Bio): void {
    const error = this.#closed ? Errno.EIO : refusalOf(this, bio);
    if (error !== 0 || (bio.sectorCount === 0 && bio.op !== Op.flush)) {
      bio.end(error);
      return;
    }
    this.#pendingCount += 1;
    this.#mayBeDirty ||= bio.isWrite && bio.op !== Op.flush;
    if (bio.op === Op.flush) this.#flush(bio);
    else if (bio.op === Op.write || (bio.op === Op.read && !isPrefetch(bio))) {
      this.#transfers.submit(bio);
    } else {
      this.#performSpecial(bio);
    }
  }

  #flush(bio: Bio): void {
    if (this.readOnly) this.#end(bio, 0);
    else this.#syncs.sync((errno) => this.#end(bio, errno));
  }

  #performSpecial(bio: Bio): void {
    void this.#special
      .run(() => this.#specialResult(bio))
      .catch(ioErrno)
      .then((errno) => this.#end(bio, errno));
  }

  #specialResult(bio: Bio): Promise<number> {
    const { space } = this.#options;
    const { fd } = this.#descriptor;
    const range = { startBytes: sectorsToBytes(bio.sector), lengthBytes: bio.lengthBytes };
    switch (bio.op) {
      case Op.discard:
        return space.discard(fd, range);
      case Op.writeZeroes:
        return this.#writeZeroes(fd, range, bio.flags);
      case Op.blockStatus:
        return bio.extents ? space.describe(fd, range, bio.extents) : Promise.resolve(0);
      default:
        return prefetchBytes(this.#calls, fd, range);
    }
  }

  async #writeZeroes(fd: number, range: ByteRange, flags: number): Promise<number> {
    const mayUnmap = (flags & BioFlag.noUnmap) === 0;
    const fastOnly = (flags & BioFlag.fastZero) !== 0;
    let error = await this.#options.space.writeZeroes(fd, range, { mayUnmap, fastOnly });
    if (error === Errno.ENOTSUP && !fastOnly) error = await writeZeroBytes(this.#calls, fd, range);
    if (error !== 0 || (flags & BioFlag.fua) === 0) return error;
    return new Promise((resolve) => {
      this.#syncs.sync(resolve);
    });
  }

  #end(bio: Bio, errno: number): void {
    this.#pendingCount -= 1;
    bio.end(errno);
    if (this.#pendingCount === 0) this.#idle?.();
  }

  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  async #finish(): Promise<void> {
    if (this.#pendingCount > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    if (!this.#mayBeDirty) {
      this.#descriptor.closeClean();
      return;
    }
    this.#descriptor.unlock();
    await this.#syncLast();
    await this.#descriptor.close();
  }

  /**
   * Whoever wrote and then swapped the table has nobody left to send a flush to: no later one reaches a device that
   * is in no table. An error has been told to those who waited for a flush, or has nobody to be told to.
   */
  #syncLast(): Promise<unknown> {
    return new Promise((resolve) => {
      this.#syncs.sync(resolve);
    });
  }
}

/**
 * How many threads of libuv's pool the reads and writes of one device may hold: an eighth, at least one. With its flushes and
 * its special operations a device holds two more; the program asks for a pool of 64, Node's default is 4.
 */
function poolShare(): number {
  return Math.min(8, Math.max(1, Math.floor(poolThreadCount() / 8)));
}
