/**
 * The completed exceptions of a snapshot: which chunk of the COW device stands for a chunk of the origin. Typed arrays: no object for each, about 20 bytes.
 *
 * As in the kernel, consecutive chunks that lie consecutively on the COW device too are one *run*, and a run does not leave its *group* of chunks, so
 * that the chunk's group says where to look for it. Runs lie in slots of open-addressed *pages*, of one size; the group's hash names the page, and the slot where to begin.
 * A page that is nearly full is shared out to two (extendible hashing), so that no insertion ever waits for more than one page, where a table that
 * doubles would make all wait while it is made anew.
 *
 * Invariants
 * - At most one run contains a chunk.
 * - From the slot that a group's hash names to each run of that group no slot is empty.
 * - The directory's entry i has all groups whose hash ends in the bits of i; a page with fewer bits stands in several entries.
 */

import { assert } from '../../base/assert.ts';
import type { ExceptionSink } from './store.ts';

/**
 * The kernel has 256. Smaller groups cost memory where everything is consecutive (a few bytes a chunk instead of a fraction of one), and spare long
 * searches where nothing is: with random writes all chunks of a group are runs that begin to be looked for at one slot.
 */
const GROUP_BITS = 3;
const GROUP_CHUNKS = 1 << GROUP_BITS;

/**
 * A run lies in three words: the low 32 bits of its first chunk on the origin and on the COW device, and both chunks' high bits with the count of chunks,
 * which is 0 in an empty slot.
 */
const RUN_WORDS = 3;
const OLD = 0;
const NEW = 1;
const HIGHS = 2;
/** In HIGHS, from the top: 14 bits of `old`, 14 of `new`, 4 of the count. */
const HIGH_MASK = 0x3fff;
const OLD_SHIFT = 18;
const NEW_SHIFT = 4;
const COUNT_MASK = 0xf;
const LOW = 2 ** 32;
/** A chunk has at least one sector, and a disk fewer than 2^44. */
const MAX_CHUNK = 2 ** 46 - 1;

/** 48 KiB: what an insertion may have to share out. */
const PAGE_SLOTS = 4096;
/** In fuller ones searches are long. */
const MAX_LOAD = 0.75;
/** Bits of the hash that name a page; the others name the slot. */
const MAX_PAGE_BITS = 20;

/** A table begins with one of these. */
const FIRST_SLOTS = 64;

class Page {
  words = new Uint32Array(RUN_WORDS * FIRST_SLOTS);
  slotMask = FIRST_SLOTS - 1;
  runCount = 0;
  /** How many bits of the hash its groups have in common. */
  readonly bits: number;

  constructor(bits: number) {
    this.bits = bits;
  }
}

export class ExceptionTable implements ExceptionSink {
  readonly #seed: number;
  #directory: Page[] = [new Page(0)];
  #directoryMask = 0;
  #count = 0;
  #runCount = 0;
  #slotCount = FIRST_SLOTS;

  /** `seed`: so that nobody can make a device whose chunks all hash alike. */
  constructor(seed = 0) {
    this.#seed = seed;
  }

  /** Exceptions, one for each chunk. */
  get count(): number {
    return this.#count;
  }

  get runCount(): number {
    return this.#runCount;
  }

  get memoryBytes(): number {
    return 4 * RUN_WORDS * this.#slotCount + 8 * this.#directory.length;
  }

  /** The chunk of the COW device; -1: there is no exception. */
  find(oldChunk: number): number {
    if (this.#count === 0) return -1;
    const hash = this.#hashOf(oldChunk);
    const { words, slotMask } = this.#directory[hash & this.#directoryMask]!;
    const at = findRun(words, slotMask, hash, oldChunk);
    return at < 0 ? -1 : newOf(words, at) + placeOf(oldChunk) - placeOf(words[at + OLD]!);
  }

  /**
   * Where the chunk has an exception already that one stays; false then. Only a damaged store has two: what was written torn long ago may come up behind what is
   * there since. A kernel shows the last, and merges to the first.
   */
  insert(oldChunk: number, newChunk: number): boolean {
    assert(isChunk(oldChunk) && isChunk(newChunk), 'an exception has chunks below 2^46');
    const hash = this.#hashOf(oldChunk);
    const { words, slotMask } = this.#directory[hash & this.#directoryMask]!;
    const low = oldChunk | 0;
    const high = (oldChunk / LOW) | 0;
    const place = placeOf(low);
    let neighbour = -1;
    let slot = firstSlot(hash, slotMask);
    let at = RUN_WORDS * slot;
    while (words[at + HIGHS] !== 0) {
      if (isOfGroup(words, at, low, high)) {
        const offset = place - placeOf(words[at + OLD]!);
        const count = words[at + HIGHS]! & COUNT_MASK;
        if (offset >= 0 && offset < count) return false;
        const isNext = offset === -1 || offset === count;
        if (isNext && newOf(words, at) + offset === newChunk) neighbour = at;
      }
      slot = (slot + 1) & slotMask;
      at = RUN_WORDS * slot;
    }
    this.#count += 1;
    if (neighbour < 0) this.#addRun(hash, oldChunk, newChunk, 1);
    else extendRun(words, neighbour, oldChunk, newChunk);
    return true;
  }

  /** false: there was none. */
  remove(oldChunk: number): boolean {
    const hash = this.#hashOf(oldChunk);
    const page = this.#directory[hash & this.#directoryMask]!;
    const { words } = page;
    const at = findRun(words, page.slotMask, hash, oldChunk);
    if (at < 0) return false;
    this.#count -= 1;
    const count = words[at + HIGHS]! & COUNT_MASK;
    const firstNew = newOf(words, at);
    const before = placeOf(oldChunk) - placeOf(words[at + OLD]!);
    const after = count - before - 1;
    if (count === 1) {
      this.#runCount -= 1;
      page.runCount -= 1;
      this.#emptySlot(page, at / RUN_WORDS);
    } else if (before === 0) {
      setRun(words, at, oldChunk + 1, firstNew + 1, after);
    } else {
      setRun(words, at, oldChunk - before, firstNew, before);
      if (after > 0) this.#addRun(hash, oldChunk + 1, firstNew + before + 1, after);
    }
    return true;
  }

  /** In no order. The table must not be changed meanwhile. */
  forEachRun(visit: (oldChunk: number, newChunk: number, chunkCount: number) => void): void {
    this.#directory.forEach(({ words, bits }, index) => {
      // Where it stands in several entries, the first is enough.
      if (index >= 2 ** bits) return;
      for (let at = 0; at < words.length; at += RUN_WORDS) {
        const count = words[at + HIGHS]! & COUNT_MASK;
        if (count > 0) visit(oldOf(words, at), newOf(words, at), count);
      }
    });
  }

  /** 32 bits, all of which depend on all of the group's. */
  #hashOf(oldChunk: number): number {
    const hash = mixed((oldChunk >>> GROUP_BITS) ^ this.#seed);
    if (oldChunk < LOW) return hash;
    // Not before the first is mixed: chunks could be chosen so that both parts make up for each other, whatever the seed.
    return mixed(hash ^ (oldChunk / LOW));
  }

  #addRun(hash: number, oldChunk: number, newChunk: number, count: number): void {
    let page = this.#directory[hash & this.#directoryMask]!;
    while (page.runCount >= MAX_LOAD * (page.slotMask + 1)) {
      this.#makeRoom(page, hash);
      page = this.#directory[hash & this.#directoryMask]!;
    }
    const at = emptySlotFrom(page, hash);
    setRun(page.words, at, oldChunk, newChunk, count);
    page.runCount += 1;
    this.#runCount += 1;
  }

  /** Twice the slots up to the size of a page, then two pages. */
  #makeRoom(page: Page, hash: number): void {
    if (page.slotMask + 1 < PAGE_SLOTS || page.bits === MAX_PAGE_BITS) {
      const { words } = page;
      page.words = new Uint32Array(2 * words.length);
      page.slotMask = 2 * page.slotMask + 1;
      page.runCount = 0;
      this.#slotCount += words.length / RUN_WORDS;
      this.#shareOut(words, page, page, 0);
      return;
    }
    if (page.bits === Math.log2(this.#directory.length)) this.#doubleDirectory();
    const [zero, one] = [fullPage(page.bits + 1), fullPage(page.bits + 1)];
    const bit = 2 ** page.bits;
    const common = hash & (bit - 1);
    for (let index = common; index < this.#directory.length; index += bit) {
      this.#directory[index] = (index & bit) === 0 ? zero : one;
    }
    this.#slotCount += PAGE_SLOTS;
    this.#shareOut(page.words, zero, one, bit);
  }

  #doubleDirectory(): void {
    this.#directory = [...this.#directory, ...this.#directory];
    this.#directoryMask = this.#directory.length - 1;
  }

  #shareOut(words: Uint32Array, zero: Page, one: Page, bit: number): void {
    for (let from = 0; from < words.length; from += RUN_WORDS) {
      if (words[from + HIGHS] === 0) continue;
      const hash = this.#hashOf(oldOf(words, from));
      const page = (hash & bit) === 0 ? zero : one;
      copyRun(words, from, page.words, emptySlotFrom(page, hash));
      page.runCount += 1;
    }
  }

  /** Moves runs up that were put further on because of what is gone now. */
  #emptySlot({ words, slotMask }: Page, slot: number): void {
    let gap = slot;
    for (let next = (gap + 1) & slotMask; ; next = (next + 1) & slotMask) {
      const at = RUN_WORDS * next;
      if (words[at + HIGHS] === 0) break;
      const first = firstSlot(this.#hashOf(oldOf(words, at)), slotMask);
      const isBehindGap = ((next - first) & slotMask) >= ((next - gap) & slotMask);
      if (!isBehindGap) continue;
      copyRun(words, at, words, RUN_WORDS * gap);
      gap = next;
    }
    words.fill(0, RUN_WORDS * gap, RUN_WORDS * (gap + 1));
  }
}

function fullPage(bits: number): Page {
  const page = new Page(bits);
  page.words = new Uint32Array(RUN_WORDS * PAGE_SLOTS);
  page.slotMask = PAGE_SLOTS - 1;
  return page;
}

function mixed(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return hash ^ (hash >>> 15);
}

function isChunk(chunk: number): boolean {
  return chunk >= 0 && chunk <= MAX_CHUNK;
}

/** In its group. */
function placeOf(chunk: number): number {
  return chunk & (GROUP_CHUNKS - 1);
}

/** By other bits than those that name the page. */
function firstSlot(hash: number, slotMask: number): number {
  return (hash >>> MAX_PAGE_BITS) & slotMask;
}

/** Where the run begins that contains the chunk; -1: there is none. */
function findRun(words: Uint32Array, slotMask: number, hash: number, oldChunk: number): number {
  const low = oldChunk | 0;
  const high = (oldChunk / LOW) | 0;
  const place = placeOf(low);
  let slot = firstSlot(hash, slotMask);
  for (;;) {
    const at = RUN_WORDS * slot;
    if (words[at + HIGHS] === 0) return -1;
    if (isOfGroup(words, at, low, high)) {
      const offset = place - placeOf(words[at + OLD]!);
      if (offset >= 0 && offset < (words[at + HIGHS]! & COUNT_MASK)) return at;
    }
    slot = (slot + 1) & slotMask;
  }
}

function emptySlotFrom({ words, slotMask }: Page, hash: number): number {
  let slot = firstSlot(hash, slotMask);
  while (words[RUN_WORDS * slot + HIGHS] !== 0) slot = (slot + 1) & slotMask;
  return RUN_WORDS * slot;
}

/** Groups do not cross 2^32. Nothing but whole numbers of 32 bits: this is what a search does at each slot. */
function isOfGroup(words: Uint32Array, at: number, low: number, high: number): boolean {
  if ((words[at + OLD]! ^ low) >>> GROUP_BITS !== 0) return false;
  return words[at + HIGHS]! >>> OLD_SHIFT === high;
}

function oldOf(words: Uint32Array, at: number): number {
  return words[at + OLD]! + (words[at + HIGHS]! >>> OLD_SHIFT) * LOW;
}

function newOf(words: Uint32Array, at: number): number {
  return words[at + NEW]! + ((words[at + HIGHS]! >>> NEW_SHIFT) & HIGH_MASK) * LOW;
}

function setRun(
  words: Uint32Array,
  at: number,
  oldChunk: number,
  newChunk: number,
  count: number,
): void {
  words[at + OLD] = oldChunk >>> 0;
  words[at + NEW] = newChunk >>> 0;
  words[at + HIGHS] = ((oldChunk / LOW) << OLD_SHIFT) | ((newChunk / LOW) << NEW_SHIFT) | count;
}

/** By a chunk at either end. */
function extendRun(words: Uint32Array, at: number, oldChunk: number, newChunk: number): void {
  const count = (words[at + HIGHS]! & COUNT_MASK) + 1;
  const first = oldOf(words, at);
  if (oldChunk < first) setRun(words, at, oldChunk, newChunk, count);
  else setRun(words, at, first, newOf(words, at), count);
}

function copyRun(from: Uint32Array, fromAt: number, to: Uint32Array, toAt: number): void {
  to[toAt + OLD] = from[fromAt + OLD]!;
  to[toAt + NEW] = from[fromAt + NEW]!;
  to[toAt + HIGHS] = from[fromAt + HIGHS]!;
}
