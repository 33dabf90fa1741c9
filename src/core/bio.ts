/**
 * The bio: one request to one block device, as in the kernel.
 *
 * Invariants
 * - A bio ends exactly once: whoever accepted it through `submit` calls `end` once, now or later.
 * - While a bio is under way its owner does not touch it; the data it names must stay valid until it ends.
 * - Sectors are numbers (512 bytes each), exact below 2^44; only codecs know bigint.
 * - Nothing here allocates on the path of a request: clones come from a pool.
 */

import { assert } from '../base/assert.ts';
import { SECTOR_BYTES } from '../base/units.ts';
import type { BlockDevice } from './device.ts';
import type { ExtentList } from './extents.ts';
import type { Target } from './target.ts';

export const Op = {
  read: 0,
  write: 1,
  /** No sectors, no data: everything that ended before this was submitted becomes durable. */
  flush: 2,
  /** A hint: the sectors' content may become anything until written again. */
  discard: 3,
  writeZeroes: 4,
  /** Which parts are holes or read as zeroes; fills `bio.extents`. Travels the map like a read. */
  blockStatus: 5,
} as const;
export type Op = (typeof Op)[keyof typeof Op];

export const OP_NAMES = [
  'read',
  'write',
  'flush',
  'discard',
  'write-zeroes',
  'block-status',
] as const;

export const BioFlag = {
  /** The write is durable when the bio ends. */
  fua: 1,
  /** Write zeroes must not deallocate. */
  noUnmap: 2,
  /** Write zeroes only if that is faster than writing; else fail with ENOTSUP. */
  fastZero: 4,
  /** Bring the range into the cache; `data` is empty. With `Op.read` only. */
  prefetch: 8,
} as const;

/** Empty data for bios that carry none. */
export const NO_DATA = new Uint8Array(0);

function notSubmitted(): void {
  throw new Error('Bug in devmapper: a bio ended that nobody submitted');
}

export class Bio {
  op: Op = Op.read;
  flags = 0;
  /** Where the bio goes; `map` rewrites it. */
  device: BlockDevice | null = null;
  sector = 0;
  sectorCount = 0;
  /** `sectorCount` sectors from `dataOffset` on, for reads and writes; `NO_DATA` otherwise. */
  data: Uint8Array = NO_DATA;
  dataOffset = 0;
  /** For `Op.blockStatus`: where the answer is gathered, at offsets relative to `sector` of the bio that asked. */
  extents: ExtentList | null = null;
  /** Which of the target's `rangeBioCount` clones this is; 0 for all others. */
  targetBioNumber = 0;

  /** errno, 0 for success; valid once ended. */
  error = 0;
  /** Called once, by `end`. */
  onEnd: (bio: Bio) => void = notSubmitted;

  /** Of the bio that this one is a clone of; owned by the mapped device that split it. */
  parent: Bio | null = null;
  /** Clones still under way, plus one while more may come; owned by the mapped device. */
  pendingCount = 0;
  /** When the topmost mapped device accepted the request, when the lowest finished it; 0: not yet. Read once per request, not per layer. */
  startMs = 0;
  endMs = 0;
  /** The target that mapped this clone, when it wants to see the end. */
  endedBy: Target | null = null;

  /** Ends the bio with an errno, 0 for success. The caller must not use it afterwards. */
  end(error: number): void {
    this.error = error;
    const onEnd = this.onEnd;
    this.onEnd = endedTwice;
    onEnd(this);
  }

  get isWrite(): boolean {
    return this.op !== Op.read && this.op !== Op.blockStatus;
  }

  get lengthBytes(): number {
    return this.sectorCount * SECTOR_BYTES;
  }
}

function endedTwice(bio: Bio): void {
  assert(false, `${OP_NAMES[bio.op]} bio at sector ${bio.sector} ended twice`);
}

const pool: Bio[] = [];
const POOL_LIMIT = 4096;

/** A fresh bio, or a recycled one with every field at its default but those the caller must set anyway. */
export function takeBio(): Bio {
  return pool.pop() ?? new Bio();
}

/** Gives a bio back. Only for bios that ended and that nobody refers to any more. */
export function recycleBio(bio: Bio): void {
  if (pool.length >= POOL_LIMIT) return;
  bio.device = null;
  bio.data = NO_DATA;
  bio.extents = null;
  bio.parent = null;
  bio.endedBy = null;
  bio.startMs = 0;
  bio.endMs = 0;
  bio.flags = 0;
  bio.targetBioNumber = 0;
  bio.error = 0;
  bio.onEnd = notSubmitted;
  pool.push(bio);
}

/** A part of `bio`, `sectorCount` sectors from its sector `skipSectors` on. Device and ending are the caller's to set. */
export function cloneBio(bio: Bio, skipSectors: number, sectorCount: number): Bio {
  const clone = takeBio();
  clone.op = bio.op;
  clone.flags = bio.flags;
  clone.sector = bio.sector + skipSectors;
  clone.sectorCount = sectorCount;
  clone.data = bio.data;
  clone.dataOffset = bio.dataOffset + skipSectors * SECTOR_BYTES;
  clone.parent = bio;
  clone.startMs = bio.startMs;
  return clone;
}
