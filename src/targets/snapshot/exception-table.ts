/**
 * The completed exceptions of a snapshot: which chunk of the COW device stands for a chunk of the origin. Typed arrays: no object for each, about 20 bytes.
 *
 * As in the kernel, consecutive chunks that lie consecutively on the COW device too are one *run*, and a run does not leave its *group* of chunks, so that the
 * chunk's group says where to look for it. Groups hash into buckets, each a chain of runs. Where the kernel has a table of fixed
 * size, this one grows by linear hashing (Litwin): with each new run at most one bucket is split, so that no insertion has to wait for a whole table
 * to be made anew, and memory is taken in pieces, which never move.
 *
 * Invariants
 * - At most one run contains a chunk.
 * - Bucket b of a group: the hash's low bits, one bit more where that bucket is there already.
 * - There are as many buckets as there ever were runs, give or take the first piece.
 */

import { assert } from '../../base/assert.ts';
import type { ExceptionSink } from './store.ts';

/**
 * The kernel has 256. Smaller groups cost memory where everything is consecutive (a byte or two a chunk instead of a fraction of one), and spare long
 * chains where nothing is: with random writes all chunks of a group end up in the chain of one bucket.
 */
const GROUP_BITS = 4;
const GROUP_CHUNKS = 1 << GROUP_BITS;

/**
 * A run lies in four words, so that looking at one costs one line of the processor's cache: the low 32 bits of its first chunk on the
 * origin and on the COW device, both chunks' high bits with the count of chunks that follow, and the next run.
 */
const RUN_WORDS = 4;
const FIRST_OLD = 0;
const FIRST_NEW = 1;
const HIGHS = 2;
/** The next run of the bucket, or of the free ones; 0: none. */
const NEXT = 3;

/** In HIGHS: 14 bits of `old`, 14 of `new`, 4 of the count, from the top. */
const HIGH_MASK = 0x3fff;
const OLD_SHIFT = 18;
const NEW_SHIFT = 4;
const MORE_MASK = GROUP_CHUNKS - 1;
const LOW = 2 ** 32;
/** A chunk has at least one sector, and a disk fewer than 2^44. */
const MAX_CHUNK = 2 ** 46 - 1;

const PIECE_BITS = 15;
const PIECE_RUNS = 1 << PIECE_BITS;
const PIECE_MASK = PIECE_RUNS - 1;
const FIRST_BUCKETS = 1024;
/** What the links and the hash can tell apart. */
const MAX_RUNS = 2 ** 31 - 1;

export class ExceptionTable implements ExceptionSink {
  /** Runs are numbered from 1. */
  readonly #runs: Uint32Array[] = [];
  /** The first run of each; 0: it is empty. */
  readonly #buckets: Uint32Array[] = [new Uint32Array(PIECE_RUNS)];
  #bucketCount = FIRST_BUCKETS;
  /** All bits of a bucket's number before the current doubling began. */
  #lowMask = FIRST_BUCKETS - 1;
  #usedRuns = 0;
  #firstFree = 0;
  #runCount = 0;
  #count = 0;

  /** Exceptions, one for each chunk. */
  get count(): number {
    return this.#count;
  }

  get runCount(): number {
    return this.#runCount;
  }

  get memoryBytes(): number {
    return 4 * PIECE_RUNS * (this.#runs.length * RUN_WORDS + this.#buckets.length);
  }

  /** The chunk of the COW device; -1: there is no exception. */
  find(oldChunk: number): number {
    const run = this.#runOf(oldChunk, this.#bucketOf(oldChunk));
    if (run === 0) return -1;
    const words = this.#runs[run >>> PIECE_BITS]!;
    const at = RUN_WORDS * (run & PIECE_MASK);
    return newOf(words, at) + placeOf(oldChunk) - placeOf(words[at + FIRST_OLD]!);
  }

  /** Where the chunk has an exception already that one stays, as in the kernel; false then. */
  insert(oldChunk: number, newChunk: number): boolean {
    assert(isChunk(oldChunk) && isChunk(newChunk), 'an exception has chunks below 2^46');
    const bucket = this.#bucketOf(oldChunk);
    const low = oldChunk >>> 0;
    const high = (oldChunk / LOW) >>> 0;
    let joined = 0;
    let run = this.#firstRun(bucket);
    while (run !== 0) {
      const words = this.#runs[run >>> PIECE_BITS]!;
      const at = RUN_WORDS * (run & PIECE_MASK);
      const offset = low - words[at + FIRST_OLD]!;
      const more = words[at + HIGHS]! & MORE_MASK;
      if (offset >= -1 && offset <= more + 1 && isInGroup(words, at, low, high)) {
        if (offset >= 0 && offset <= more) return false;
        if (newOf(words, at) + offset === newChunk) joined = run;
      }
      run = words[at + NEXT]!;
    }
    this.#count += 1;
    if (joined !== 0) this.#extend(joined, oldChunk, newChunk);
    else this.#addRun(bucket, oldChunk, newChunk, 0);
    if (this.#runCount > this.#bucketCount) this.#splitBucket();
    return true;
  }

  /** false: there was none. */
  remove(oldChunk: number): boolean {
    const bucket = this.#bucketOf(oldChunk);
    const run = this.#runOf(oldChunk, bucket);
    if (run === 0) return false;
    this.#count -= 1;
    const words = this.#runs[run >>> PIECE_BITS]!;
    const at = RUN_WORDS * (run & PIECE_MASK);
    const more = words[at + HIGHS]! & MORE_MASK;
    const firstNew = newOf(words, at);
    const before = placeOf(oldChunk) - placeOf(words[at + FIRST_OLD]!);
    const after = more - before;
    if (more === 0) {
      this.#removeRun(bucket, run);
    } else if (before === 0) {
      setRun(words, at, oldChunk + 1, firstNew + 1, more - 1);
    } else {
      setRun(words, at, oldChunk - before, firstNew, before - 1);
      if (after > 0) this.#addRun(bucket, oldChunk + 1, firstNew + before + 1, after - 1);
    }
    return true;
  }

  /** In no order. The table must not be changed meanwhile. */
  forEachRun(visit: (oldChunk: number, newChunk: number, chunkCount: number) => void): void {
    for (let bucket = 0; bucket < this.#bucketCount; bucket += 1) {
      let run = this.#firstRun(bucket);
      while (run !== 0) {
        const words = this.#runs[run >>> PIECE_BITS]!;
        const at = RUN_WORDS * (run & PIECE_MASK);
        visit(oldOf(words, at), newOf(words, at), (words[at + HIGHS]! & MORE_MASK) + 1);
        run = words[at + NEXT]!;
      }
    }
  }

  #bucketOf(oldChunk: number): number {
    const hash = hashOf(oldChunk);
    const bucket = hash & (2 * this.#lowMask + 1);
    return bucket < this.#bucketCount ? bucket : bucket & this.#lowMask;
  }

  #firstRun(bucket: number): number {
    return this.#buckets[bucket >>> PIECE_BITS]![bucket & PIECE_MASK]!;
  }

  /** The run that contains the chunk; 0: none. */
  #runOf(oldChunk: number, bucket: number): number {
    const low = oldChunk >>> 0;
    const high = (oldChunk / LOW) >>> 0;
    let run = this.#firstRun(bucket);
    while (run !== 0) {
      const words = this.#runs[run >>> PIECE_BITS]!;
      const at = RUN_WORDS * (run & PIECE_MASK);
      const offset = low - words[at + FIRST_OLD]!;
      const isNear = offset >= 0 && offset <= (words[at + HIGHS]! & MORE_MASK);
      if (isNear && isInGroup(words, at, low, high)) return run;
      run = words[at + NEXT]!;
    }
    return 0;
  }

  /** By a chunk at either end. */
  #extend(run: number, oldChunk: number, newChunk: number): void {
    const words = this.#runs[run >>> PIECE_BITS]!;
    const at = RUN_WORDS * (run & PIECE_MASK);
    const more = (words[at + HIGHS]! & MORE_MASK) + 1;
    const first = oldOf(words, at);
    const isBefore = oldChunk < first;
    const firstNew = newOf(words, at);
    setRun(words, at, isBefore ? oldChunk : first, isBefore ? newChunk : firstNew, more);
  }

  #addRun(bucket: number, oldChunk: number, newChunk: number, more: number): void {
    const run = this.#takeRun();
    const words = this.#runs[run >>> PIECE_BITS]!;
    setRun(words, RUN_WORDS * (run & PIECE_MASK), oldChunk, newChunk, more);
    this.#runCount += 1;
    this.#prepend(bucket, run);
  }

  #takeRun(): number {
    const free = this.#firstFree;
    if (free !== 0) {
      this.#firstFree = this.#nextOf(free);
      return free;
    }
    assert(this.#usedRuns < MAX_RUNS, 'a table of exceptions has fewer than 2^31 runs');
    this.#usedRuns += 1;
    if (this.#usedRuns >>> PIECE_BITS === this.#runs.length) {
      this.#runs.push(new Uint32Array(RUN_WORDS * PIECE_RUNS));
    }
    return this.#usedRuns;
  }

  #removeRun(bucket: number, run: number): void {
    let before = this.#firstRun(bucket);
    if (before === run) {
      this.#buckets[bucket >>> PIECE_BITS]![bucket & PIECE_MASK] = this.#nextOf(run);
    } else {
      while (this.#nextOf(before) !== run) before = this.#nextOf(before);
      this.#setNext(before, this.#nextOf(run));
    }
    this.#setNext(run, this.#firstFree);
    this.#firstFree = run;
    this.#runCount -= 1;
  }

  #nextOf(run: number): number {
    return this.#runs[run >>> PIECE_BITS]![RUN_WORDS * (run & PIECE_MASK) + NEXT]!;
  }

  #setNext(run: number, next: number): void {
    this.#runs[run >>> PIECE_BITS]![RUN_WORDS * (run & PIECE_MASK) + NEXT] = next;
  }

  #prepend(bucket: number, run: number): void {
    const heads = this.#buckets[bucket >>> PIECE_BITS]!;
    this.#setNext(run, heads[bucket & PIECE_MASK]!);
    heads[bucket & PIECE_MASK] = run;
  }

  /** Adds a bucket and shares out the runs of the one that stood for both. */
  #splitBucket(): void {
    const added = this.#bucketCount;
    const bucket = added & this.#lowMask;
    if (added >>> PIECE_BITS === this.#buckets.length) {
      this.#buckets.push(new Uint32Array(PIECE_RUNS));
    }
    this.#bucketCount += 1;
    let run = this.#firstRun(bucket);
    this.#buckets[bucket >>> PIECE_BITS]![bucket & PIECE_MASK] = 0;
    while (run !== 0) {
      const following = this.#nextOf(run);
      const words = this.#runs[run >>> PIECE_BITS]!;
      this.#prepend(this.#bucketOf(oldOf(words, RUN_WORDS * (run & PIECE_MASK))), run);
      run = following;
    }
    if (this.#bucketCount === 2 * (this.#lowMask + 1)) this.#lowMask = 2 * this.#lowMask + 1;
  }
}

function isChunk(chunk: number): boolean {
  return chunk >= 0 && chunk <= MAX_CHUNK;
}

/** In its group. */
function placeOf(chunk: number): number {
  return chunk & (GROUP_CHUNKS - 1);
}

function oldOf(words: Uint32Array, at: number): number {
  return words[at + FIRST_OLD]! + (words[at + HIGHS]! >>> OLD_SHIFT) * LOW;
}

function newOf(words: Uint32Array, at: number): number {
  return words[at + FIRST_NEW]! + ((words[at + HIGHS]! >>> NEW_SHIFT) & HIGH_MASK) * LOW;
}

function setRun(words: Uint32Array, at: number, old: number, fresh: number, more: number): void {
  const highs = ((old / LOW) << OLD_SHIFT) | ((fresh / LOW) << NEW_SHIFT);
  words[at + FIRST_OLD] = old >>> 0;
  words[at + FIRST_NEW] = fresh >>> 0;
  words[at + HIGHS] = highs | more;
}

/** Groups do not cross 2^32, so that the low bits tell a place in the group. */
function isInGroup(words: Uint32Array, at: number, low: number, high: number): boolean {
  const isSameLow = (words[at + FIRST_OLD]! ^ low) >>> 0 < GROUP_CHUNKS;
  return isSameLow && words[at + HIGHS]! >>> OLD_SHIFT === high;
}

/** 31 bits, all of which depend on all of the group's. */
function hashOf(oldChunk: number): number {
  let hash = (oldChunk >>> GROUP_BITS) ^ Math.imul(oldChunk / LOW, 0x9e3779b9);
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return (hash ^ (hash >>> 15)) & 0x7fffffff;
}
