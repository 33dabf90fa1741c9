/** The disk in one state: which chunks differ from what it was at some moment of the log, and a word that is equal for equal contents. */

import type { BaseImage } from './base-image.ts';
import { hashWord } from './content-hash.ts';
import { countBelow } from './count-below.ts';
import type { CrashLog } from './crash-log.ts';
import type { CrashState, Survivor } from './crash-state.ts';
import { DiskHistory } from './disk-history.ts';
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
  readonly #history: DiskHistory;

  constructor(log: CrashLog, base: BaseImage) {
    this.windows = new LogWindows(log);
    this.#base = base;
    this.#history = new DiskHistory(log, base);
  }

  get log(): CrashLog {
    return this.windows.log;
  }

  build(state: CrashState): StateImage {
    const wholeCount = this.#wholeCount(state);
    const overlay = this.#overlay(state, wholeCount);
    const pair = this.#history.hashAt(wholeCount);
    for (const [number, chunk] of overlay) {
      this.#history.rehash(pair, number, this.#history.find(number, wholeCount), chunk);
    }
    return {
      source: { base: this.#base, data: this.log.data },
      sizeSectors: this.log.sizeSectors,
      find: (number) => overlay.get(number) ?? this.#history.find(number, wholeCount),
      contentWord: hashWord(pair),
    };
  }

  /** So many entries from the beginning are there whole and in their order: what is left to do is what came behind them. */
  #wholeCount({ point, survivors }: CrashState): number {
    const { entries } = this.log;
    let index = 0;
    for (let number = this.windows.flushedCount(point); number < point; number += 1) {
      if (!entries.isLosable(number)) continue;
      const survivor = survivors[index];
      if (survivor?.number !== number || survivor.kept !== null) return number;
      index += 1;
    }
    return point;
  }

  #overlay(state: CrashState, wholeCount: number): Map<number, Chunk> {
    const overlay = new Map<number, Chunk>();
    const writable = (number: number) => {
      let chunk = overlay.get(number);
      if (chunk === undefined) {
        chunk =
          this.#history.find(number, wholeCount)?.slice() ??
          new Int32Array(CHUNK_SECTORS).fill(BASE);
        overlay.set(number, chunk);
      }
      return chunk;
    };
    for (const { number, kept } of this.#inOrder(state, wholeCount)) {
      const entry = this.log.entries.at(number);
      const ranges = kept ?? [{ start: 0, end: entry.sectorCount }];
      for (const range of ranges) placeEntry(entry, range, writable);
    }
    return overlay;
  }

  /**
   * What survived behind the first `wholeCount` entries, with the writes with FUA among it: one of those is over everything that had ended before
   * it, and below what came later.
   */
  #inOrder({ point, survivors }: CrashState, wholeCount: number): Survivor[] {
    const rest = survivors.filter(({ number }) => number >= wholeCount);
    const forced = this.windows.forced(wholeCount, point);
    if (forced.length === 0) return rest;
    const epochOf = (number: number) => countBelow(forced, number + 1);
    const all = [...forced.map((number) => ({ number, kept: null })), ...rest];
    // Stable: the forced one, which is first, stays first of its epoch.
    return all.toSorted((a, b) => epochOf(a.number) - epochOf(b.number));
  }
}
