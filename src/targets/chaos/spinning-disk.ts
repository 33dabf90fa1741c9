/**
 * When a disk with one head over a turning platter is done: it moves to the track, waits for the sector to come by, and
 * transfers a track in a turn. One request at a time, in the order they come.
 *
 * Moving over a distance d (as a part of the whole row) takes settle + (full - settle) * sqrt(d), which is near to what data
 * sheets and measurements give for acceleration-limited arms; the average over two random places is `seekMs`.
 */

import { Op } from '../../core/bio.ts';
import type { RequestShape } from './decide.ts';
import type { Distribution } from './rule.ts';

/** The mean of sqrt(|x - y|) for x and y anywhere in [0, 1]. */
const MEAN_ROOT_DISTANCE = 8 / 15;
/** To the next track, as a part of the average. */
const SETTLE_PART = 0.1;

export class SpinningDisk {
  readonly #turnMs: number;
  readonly #trackSectors: number;
  readonly #rowSectors: number;
  readonly #settleMs: number;
  readonly #rootMs: number;
  /** When the last request is done, and the sector behind it. */
  #freeAtMs = Number.NEGATIVE_INFINITY;
  #headSector = 0;

  constructor(options: Extract<Distribution, { name: 'disk' }>, rowSectors: number) {
    this.#turnMs = 60_000 / options.rotationsPerMinute;
    this.#trackSectors = options.trackSectors;
    this.#rowSectors = rowSectors;
    this.#settleMs = options.seekMs * SETTLE_PART;
    this.#rootMs = (options.seekMs - this.#settleMs) / MEAN_ROOT_DISTANCE;
  }

  /** When a request that comes at `nowMs` is done. A flush waits for those before it and moves nothing. */
  serve({ op, sector, sectorCount }: RequestShape, nowMs: number): number {
    const startMs = Math.max(nowMs, this.#freeAtMs);
    if (op === Op.flush || op === Op.discard) return startMs;
    const readyMs = this.#reach(sector, startMs);
    const doneMs = readyMs + (sectorCount / this.#trackSectors) * this.#turnMs;
    this.#freeAtMs = doneMs;
    this.#headSector = sector + sectorCount;
    return doneMs;
  }

  /** When the head is over the sector. What goes on where the last one ended, within a turn, is in the disk's buffer already. */
  #reach(sector: number, startMs: number): number {
    const isNext = sector === this.#headSector;
    if (isNext && startMs - this.#freeAtMs <= this.#turnMs) return startMs;
    const arrivedMs = startMs + this.#moveMs(sector);
    const waitTurns = this.#angleOf(sector) - fraction(arrivedMs / this.#turnMs);
    return arrivedMs + fraction(waitTurns + 1) * this.#turnMs;
  }

  #moveMs(sector: number): number {
    const isSameTrack = this.#trackOf(sector) === this.#trackOf(this.#headSector);
    if (isSameTrack) return 0;
    const distance = Math.abs(sector - this.#headSector) / this.#rowSectors;
    return this.#settleMs + this.#rootMs * Math.sqrt(distance);
  }

  #trackOf(sector: number): number {
    return Math.floor(sector / this.#trackSectors);
  }

  /** Where in a turn the sector comes by. */
  #angleOf(sector: number): number {
    return (sector % this.#trackSectors) / this.#trackSectors;
  }
}

function fraction(value: number): number {
  return value - Math.floor(value);
}
