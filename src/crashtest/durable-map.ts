/**
 * The disk as it was at each flush of a log, all of them at once: for each chunk of the disk its versions, so that a flush that changed
 * little costs little.
 *
 * Invariant: the version of a chunk at window `n` is what every entry before that window left of it.
 */

import type { ContentHash, HashPair } from './content-hash.ts';
import { changesSectors } from './crash-log.ts';
import type { LogWindows } from './log-windows.ts';
import { BASE, CHUNK_SECTORS, type Chunk, placeEntry } from './places.ts';

interface Version {
  /** Valid from this window on. */
  window: number;
  chunk: Chunk;
}

export class DurableMap {
  readonly #versions = new Map<number, Version[]>();
  /** Of the whole disk, at each window. */
  readonly #hashes: HashPair[] = [{ low: 0, high: 0 }];

  constructor(windows: LogWindows, hash: ContentHash) {
    for (let window = 0; window < windows.count; window += 1) {
      const changed = this.#apply(windows, window);
      this.#hashes.push(this.#rehash(changed, window, hash));
    }
  }

  /** null: nothing had been written to it. */
  find(number: number, window: number): Chunk | null {
    const versions = this.#versions.get(number);
    if (versions === undefined) return null;
    let low = 0;
    let high = versions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (versions[middle]!.window <= window) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? null : versions[low - 1]!.chunk;
  }

  hash(window: number): HashPair {
    return this.#hashes[window]!;
  }

  /** Answers the chunks that the window's entries changed, which have a new version from the next window on. */
  #apply(windows: LogWindows, window: number): Set<number> {
    const changed = new Set<number>();
    const writable = (number: number) => {
      changed.add(number);
      return this.#newVersion(number, window + 1);
    };
    for (let number = windows.start(window); number < windows.end(window); number += 1) {
      const entry = windows.log.entries[number]!;
      if (changesSectors(entry)) placeEntry(entry, { start: 0, end: entry.sectorCount }, writable);
    }
    return changed;
  }

  #newVersion(number: number, window: number): Chunk {
    const versions = this.#versions.get(number) ?? [];
    const last = versions.at(-1);
    if (last?.window === window) return last.chunk;
    const chunk = last?.chunk.slice() ?? new Int32Array(CHUNK_SECTORS).fill(BASE);
    versions.push({ window, chunk });
    this.#versions.set(number, versions);
    return chunk;
  }

  #rehash(changed: Set<number>, window: number, hash: ContentHash): HashPair {
    const pair = { ...this.hash(window) };
    for (const number of changed) {
      const after = this.find(number, window + 1)!;
      toggleDifference(hash, pair, number, this.find(number, window), after);
    }
    return pair;
  }
}

/** Takes what differs in `before` out of the hash, and `after` in. */
export function toggleDifference(
  hash: ContentHash,
  pair: HashPair,
  number: number,
  before: Chunk | null,
  after: Chunk,
): void {
  for (let index = 0; index < CHUNK_SECTORS; index += 1) {
    const old = before?.[index] ?? BASE;
    const now = after[index]!;
    if (old === now) continue;
    const sector = number * CHUNK_SECTORS + index;
    hash.toggle(pair, sector, old);
    hash.toggle(pair, sector, now);
  }
}
