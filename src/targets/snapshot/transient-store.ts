/** The store of `N`: what is copied lies on the COW device one chunk behind the other, and where it lies is known only as long as the snapshot lives. */

import { Errno } from '../../base/errors.ts';
import type { BlockDevice } from '../../core/device.ts';
import { beginPlug, endPlug } from '../../core/plug.ts';
import type { ExceptionStore, PendingException, StoreOptions, StoreUsage } from './store.ts';
import { StoreQueue } from './store-queue.ts';

export class TransientStore implements ExceptionStore {
  readonly isPersistent = false;
  readonly chunkSectors: number;
  /** As in the kernel. */
  readonly merging = null;
  readonly #queue = new StoreQueue();
  #cow: BlockDevice;
  #nextFree = 0;
  #isValid = true;

  constructor({ cow, chunkSectors }: StoreOptions) {
    this.#cow = cow;
    this.chunkSectors = chunkSectors;
  }

  open(): Promise<'valid'> {
    return Promise.resolve('valid');
  }

  prepareException(exception: PendingException): boolean {
    if (this.#cow.sizeSectors < (this.#nextFree + 1) * this.chunkSectors) return false;
    exception.newChunk = this.#nextFree;
    this.#nextFree += 1;
    this.#queue.add(exception);
    return true;
  }

  commitException(exception: PendingException, isCopied: boolean): void {
    this.#queue.finish(exception, isCopied);
    // What they let go is often a row of neighbours.
    beginPlug();
    for (let next = this.#queue.take(); next !== null; next = this.#queue.take()) {
      if (next.copy === 'failed') this.#isValid = false;
      next.committed(this.#isValid ? 0 : Errno.EIO);
    }
    endPlug();
  }

  dropSnapshot(): Promise<boolean> {
    this.#isValid = false;
    return Promise.resolve(true);
  }

  usage(): StoreUsage {
    return {
      allocatedSectors: this.#nextFree * this.chunkSectors,
      totalSectors: this.#cow.sizeSectors,
      metadataSectors: 0,
    };
  }

  handOver(cow: BlockDevice): void {
    this.#cow = cow;
  }
}
