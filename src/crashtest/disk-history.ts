/**
 * The disk as it was behind each entry of a log, as if nothing were ever lost: for each chunk of the disk the entries that touched it, and a copy
 * of it now and then from which the others are made. So an entry costs some ten bytes, and any moment is there at once.
 */

import type { BaseImage } from './base-image.ts';
import { ContentHash, type HashPair } from './content-hash.ts';
import { countBelow } from './count-below.ts';
import type { CrashLog, LogEntry } from './crash-log.ts';
import type { EntryList } from './entry-list.ts';
import { BASE, CHUNK_SECTORS, type Chunk, forEachChunk, placeEntry } from './places.ts';

/** A copy behind every so many entries: no moment is farther from one. */
const COPY_EVERY = 32;

/** What happened to one chunk. */
interface ChunkHistory {
  /** Which touched it. */
  readonly entries: number[];
  /** As it was before entry `index * COPY_EVERY` of those. */
  readonly copies: Chunk[];
  /** Behind the last of them. */
  readonly last: Chunk;
  /** What was asked for last, behind so many of them. */
  found: { count: number; chunk: Chunk } | null;
}

export class DiskHistory {
  readonly #entries: EntryList;
  readonly #hash: ContentHash;
  readonly #chunks = new Map<number, ChunkHistory>();
  /** Of the whole disk, before each entry and behind the last. */
  readonly #low: Uint32Array;
  readonly #high: Uint32Array;

  constructor(log: CrashLog, base: BaseImage) {
    const { entries } = log;
    this.#entries = entries;
    this.#hash = new ContentHash(log, base);
    this.#low = new Uint32Array(entries.length + 1);
    this.#high = new Uint32Array(entries.length + 1);
    const pair = { low: 0, high: 0 };
    for (let number = 0; number < entries.length; number += 1) {
      this.#apply(number, pair);
      this.#low[number + 1] = pair.low;
      this.#high[number + 1] = pair.high;
    }
  }

  /** A chunk as it was behind the first `entryCount` entries, not to be changed; null: nothing had been written to it. */
  find(number: number, entryCount: number): Chunk | null {
    const history = this.#chunks.get(number);
    if (history === undefined) return null;
    const count = countBelow(history.entries, entryCount);
    if (count === 0) return null;
    if (count === history.entries.length) return history.last;
    if (count % COPY_EVERY === 0) return history.copies[count / COPY_EVERY]!;
    if (history.found?.count !== count) {
      history.found = { count, chunk: this.#replay(number, history, count) };
    }
    return history.found.chunk;
  }

  /** Of the whole disk behind the first `entryCount` entries. */
  hashAt(entryCount: number): HashPair {
    return { low: this.#low[entryCount]!, high: this.#high[entryCount]! };
  }

  /** The hash of a disk that differs in one chunk. */
  rehash(pair: HashPair, number: number, before: Chunk | null, after: Chunk): void {
    for (let index = 0; index < CHUNK_SECTORS; index += 1) {
      const old = before === null ? BASE : before[index]!;
      const now = after[index]!;
      if (old === now) continue;
      const sector = number * CHUNK_SECTORS + index;
      this.#hash.toggle(pair, sector, old);
      this.#hash.toggle(pair, sector, now);
    }
  }

  #apply(number: number, pair: HashPair): void {
    const entry = this.#entries.at(number);
    forEachChunk(entry.sector, entry.sectorCount, (chunkNumber, _start, count, done) => {
      const history = this.#historyOf(chunkNumber);
      const before = history.last.slice();
      if (history.entries.length % COPY_EVERY === 0) history.copies.push(before);
      history.entries.push(number);
      placeEntry(entry, { start: done, end: done + count }, () => history.last);
      this.rehash(pair, chunkNumber, before, history.last);
    });
  }

  #historyOf(number: number): ChunkHistory {
    let history = this.#chunks.get(number);
    if (history === undefined) {
      const last = new Int32Array(CHUNK_SECTORS).fill(BASE);
      history = { entries: [], copies: [], last, found: null };
      this.#chunks.set(number, history);
    }
    return history;
  }

  #replay(number: number, { entries, copies }: ChunkHistory, count: number): Chunk {
    const copied = Math.floor(count / COPY_EVERY);
    const chunk = copies[copied]!.slice();
    for (let index = copied * COPY_EVERY; index < count; index += 1) {
      const entry = this.#entries.at(entries[index]!);
      placeEntry(entry, partIn(entry, number), () => chunk);
    }
    return chunk;
  }
}

/** The part of an entry that lies in the chunk. */
function partIn({ sector, sectorCount }: LogEntry, number: number) {
  const first = number * CHUNK_SECTORS;
  return {
    start: Math.max(first - sector, 0),
    end: Math.min(first + CHUNK_SECTORS - sector, sectorCount),
  };
}
