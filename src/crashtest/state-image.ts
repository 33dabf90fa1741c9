/** The disk in one state: which chunks differ from the last flush, and a word that is equal for equal contents. */

import type { BaseImage } from './base-image.ts';
import { ContentHash, hashWord } from './content-hash.ts';
import type { CrashLog } from './crash-log.ts';
import type { CrashState, Survivor } from './crash-state.ts';
import { DurableMap, toggleDifference } from './durable-map.ts';
import { LogWindows } from './log-windows.ts';
import {
  BASE,
  CHUNK_SECTORS,
  type Chunk,
  type FindChunk,
  type PlaceSource,
  placeEntry,
} from './places.ts';

export interface StateImage {
  readonly source: PlaceSource;
  readonly sizeSectors: number;
  readonly find: FindChunk;
  /** Equal for states with equal content. */
  readonly contentWord: string;
}

/** All states of a log, over what was on the disk before. */
export class StateImages {
  readonly windows: LogWindows;
  readonly #base: BaseImage;
  readonly #hash: ContentHash;
  readonly #durable: DurableMap;

  constructor(log: CrashLog, base: BaseImage) {
    this.windows = new LogWindows(log);
    this.#base = base;
    this.#hash = new ContentHash(log, base);
    this.#durable = new DurableMap(this.windows, this.#hash);
  }

  get log(): CrashLog {
    return this.windows.log;
  }

  build(state: CrashState): StateImage {
    const window = this.windows.at(state.point);
    const overlay = this.#overlay(state, window);
    const pair = { ...this.#durable.hash(window) };
    for (const [number, chunk] of overlay) {
      toggleDifference(this.#hash, pair, number, this.#durable.find(number, window), chunk);
    }
    return {
      source: { base: this.#base, data: this.log.data },
      sizeSectors: this.log.sizeSectors,
      find: (number) => overlay.get(number) ?? this.#durable.find(number, window),
      contentWord: hashWord(pair),
    };
  }

  #overlay(state: CrashState, window: number): Map<number, Chunk> {
    const overlay = new Map<number, Chunk>();
    const writable = (number: number) => {
      let chunk = overlay.get(number);
      if (chunk === undefined) {
        chunk =
          this.#durable.find(number, window)?.slice() ?? new Int32Array(CHUNK_SECTORS).fill(BASE);
        overlay.set(number, chunk);
      }
      return chunk;
    };
    for (const { number, kept } of this.#inOrder(state)) {
      const entry = this.log.entries[number]!;
      const ranges = kept ?? [{ start: 0, end: entry.sectorCount }];
      for (const range of ranges) placeEntry(entry, range, writable);
    }
    return overlay;
  }

  /** What survived, with the writes with FUA among it: one of those is over everything that had ended before it, and below what came later. */
  #inOrder({ point, survivors }: CrashState): Survivor[] {
    const forced = this.windows.forced(point);
    if (forced.length === 0) return [...survivors];
    const epochOf = (number: number) => countUpTo(forced, number);
    const all = [...forced.map((number) => ({ number, kept: null })), ...survivors];
    // Stable: the forced one, which is first, stays first of its epoch.
    return all.toSorted((a, b) => epochOf(a.number) - epochOf(b.number));
  }
}

/** How many of the sorted numbers are not above `limit`. */
function countUpTo(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
