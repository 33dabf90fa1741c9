/**
 * Where the exceptions of a snapshot are kept: the contract between a snapshot and its store (persistent-store.ts, transient-store.ts).
 *
 * The life of an exception: `prepareException` gives it a chunk of the COW device; the snapshot copies the data there; `commitException` says so;
 * `committed` is called when a crash cannot lose it any more. Only then may the snapshot use it and let the origin be written.
 *
 * Invariants
 * - Every exception that was prepared is handed to `commitException` exactly once, also when its copy failed or the snapshot became invalid.
 * - `committed` is called once for each, in the order of preparation, perhaps before `commitException` returns.
 * - After the first that was committed with an error, all that follow are: the store is broken and never written again, but by `dropSnapshot`.
 * - The table of exceptions is the snapshot's: a store fills it in `open` and never touches it afterwards.
 */

import type { BlockDevice } from '../../core/device.ts';
import type { TargetMemory } from '../../core/target-memory.ts';

/** A chunk that is being copied; the snapshot derives its own class from it. */
export abstract class PendingException {
  readonly oldChunk: number;
  /** Of the COW device; set by `prepareException`. */
  newChunk = 0;
  /** The store's: what it was told of the copy. */
  copy: 'underway' | 'done' | 'failed' = 'underway';

  constructor(oldChunk: number) {
    this.oldChunk = oldChunk;
  }

  /** `errno` 0: it is kept. Anything else: the snapshot is to be invalidated. */
  abstract committed(errno: number): void;
}

/** What `open` puts exceptions into, in the order of the store. */
export interface ExceptionSink {
  insert(oldChunk: number, newChunk: number): void;
}

/** In sectors, as `dmsetup status` prints them: `<allocated>/<total> <metadata>`. */
export interface StoreUsage {
  readonly allocatedSectors: number;
  readonly totalSectors: number;
  readonly metadataSectors: number;
}

/** Chunks that lie one behind the other on the origin and on the COW device. */
export interface MergeRun {
  readonly oldChunk: number;
  readonly newChunk: number;
  readonly chunkCount: number;
}

export interface ExceptionStore {
  /** P or PO, not N. */
  readonly isPersistent: boolean;
  /**
   * Final after `open`: the disk's, where it differs from the table's. Before that the table's, where 0 leaves it to the store.
   */
  readonly chunkSectors: number;
  /**
   * Reads and checks all there is, and makes a new store where there is none. `invalid`: it was dropped before; nothing was read.
   * Rejects with a DmError that begins with the kernel's words for a table that cannot be loaded.
   */
  open(table: ExceptionSink): Promise<'valid' | 'invalid'>;
  /** Sets `newChunk`. false: the store is full, and nothing was prepared. */
  prepareException(exception: PendingException): boolean;
  /** `isCopied`: the data are on the COW device, though perhaps not durable. */
  commitException(exception: PendingException, isCopied: boolean): void;
  /** Marks the store invalid, on the disk too; false where that cannot be written. Never rejects. */
  dropSnapshot(): Promise<boolean>;
  usage(): StoreUsage;
  /** The table that named the COW device was replaced: the same device, opened by another table. */
  handOver(cow: BlockDevice): void;
  /** null: the store cannot be merged. */
  readonly merging: StoreMerging | null;
}

/** Taking exceptions off the end of a store. No exception is prepared once that has begun. */
export interface StoreMerging {
  /** The last exceptions that can be copied as one; null: there is none left. Rejects with a DmError when they cannot be read. */
  prepareMerge(): Promise<MergeRun | null>;
  /**
   * Removes the last `chunkCount` exceptions, of those that `prepareMerge` gave. The caller has made their data durable on the origin. Rejects with
   * a DmError when that cannot be written: they are still there then.
   */
  commitMerge(chunkCount: number): Promise<void>;
}

export interface StoreOptions {
  readonly cow: BlockDevice;
  /** 0: the store's default. */
  readonly chunkSectors: number;
  /** Chunks are multiples of the origin's blocks too. */
  readonly originBlockBytes: number;
  readonly memory: TargetMemory;
}
