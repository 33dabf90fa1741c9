/** For tests of stores: a COW device, exceptions that remember what they were told, and data that say which chunk they are a copy of. */

import { createPrng, type Prng } from '../base/prng.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { Op } from '../core/bio.ts';
import { plainMemory } from '../core/target-memory.ts';
import { SimulatedDisk } from '../devices/simulated.ts';
import { uniformLatency } from '../devices/simulated-faults.ts';
import { PersistentStore } from '../targets/snapshot/persistent-store.ts';
import { type ExceptionStore, PendingException } from '../targets/snapshot/store.ts';
import { TransientStore } from '../targets/snapshot/transient-store.ts';
import { submitBio } from './submit.ts';

export interface RigOptions {
  sizeSectors: number;
  chunkSectors?: number;
  prng: Prng;
  /** Default: the disk answers at once. */
  hasLatency?: boolean;
  kind?: 'persistent' | 'transient';
}

/** What a COW device may have had on it, but for its first bytes: nobody must take it for exceptions. */
const oldContent = createPrng(7).fill(new Uint8Array(8192 * 512));
oldContent.fill(0, 0, 4);

/** Old and new chunk. */
export type Pair = readonly [number, number];

export class TestException extends PendingException {
  errno: number | null = null;
  readonly #told: TestException[];

  constructor(oldChunk: number, told: TestException[]) {
    super(oldChunk);
    this.#told = told;
  }

  override committed(errno: number): void {
    this.errno = errno;
    this.#told.push(this);
  }
}

export class StoreRig {
  readonly clock = new SimulatedClock();
  readonly disk: SimulatedDisk;
  readonly #options: RigOptions;
  store: ExceptionStore;
  /** As read by the last `open`. */
  loaded: Pair[] = [];
  /** In the order they were told. */
  told: TestException[] = [];

  constructor(options: RigOptions) {
    this.#options = options;
    const { sizeSectors, prng, hasLatency } = options;
    const latency = hasLatency ? { latency: uniformLatency(0.1, 3) } : {};
    this.disk = new SimulatedDisk({ sizeSectors, clock: this.clock, prng, ...latency });
    this.disk.poke(0, oldContent.slice(0, sizeSectors * 512));
    this.store = this.#newStore();
  }

  get chunkSectors(): number {
    return this.store.chunkSectors;
  }

  #newStore(): ExceptionStore {
    const { chunkSectors = 8, kind = 'persistent' } = this.#options;
    const options = { cow: this.disk, chunkSectors, originBlockBytes: 512, memory: plainMemory };
    return kind === 'persistent' ? new PersistentStore(options) : new TransientStore(options);
  }

  /** Another life of the same device. */
  async open(): Promise<'valid' | 'invalid'> {
    this.store = this.#newStore();
    this.loaded = [];
    this.told = [];
    const opening = this.store.open({ insert: (...pair) => void this.loaded.push(pair) });
    // Whoever awaits it gets the rejection.
    opening.catch(() => undefined);
    await this.clock.runUntilIdle();
    return opening;
  }

  prepare(oldChunk: number): TestException | null {
    const exception = new TestException(oldChunk, this.told);
    return this.store.prepareException(exception) ? exception : null;
  }

  /** Copies the data, then commits; like every disk's, the data are not durable by themselves. */
  async copy(exception: TestException): Promise<void> {
    const { chunkSectors } = this;
    const errno = await submitBio(this.disk, {
      op: Op.write,
      sector: exception.newChunk * chunkSectors,
      sectorCount: chunkSectors,
      data: dataOf(exception.oldChunk, chunkSectors),
    });
    this.store.commitException(exception, errno === 0);
  }

  /** All the way; null: full. */
  async add(oldChunk: number): Promise<TestException | null> {
    const exception = this.prepare(oldChunk);
    if (exception) void this.copy(exception);
    await this.clock.runUntilIdle();
    return exception;
  }

  hasDataOf([oldChunk, newChunk]: Pair): boolean {
    const found = this.disk.peek(newChunk * this.chunkSectors, this.chunkSectors);
    return Buffer.compare(found, dataOf(oldChunk, this.chunkSectors)) === 0;
  }

  status(): string {
    const { allocatedSectors, totalSectors, metadataSectors } = this.store.usage();
    return `${allocatedSectors}/${totalSectors} ${metadataSectors}`;
  }
}

function dataOf(oldChunk: number, chunkSectors: number): Uint8Array {
  const words = new Float64Array(chunkSectors * 64).fill(oldChunk + 0.5);
  return new Uint8Array(words.buffer);
}
