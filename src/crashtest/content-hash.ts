/**
 * A number for a whole disk that is cheap to keep up to date: the exclusive-or, over all sectors that differ from the base, of a hash of
 * the sector's number and its content. 64 bits, in two halves: equal contents are checked once, and of a million states no two are taken
 * for one by mistake.
 */

import { SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';
import type { BaseImage } from './base-image.ts';
import type { CrashLog } from './crash-log.ts';
import { BASE, FIRST_DATA, ZEROES } from './places.ts';

const BATCH_SECTORS = 256;
const SECTOR_WORDS = SECTOR_BYTES / 4;

export interface HashPair {
  low: number;
  high: number;
}

/** Murmur3's finisher. */
function mix(value: number): number {
  let z = value;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

export class ContentHash {
  readonly #low: Uint32Array;
  readonly #high: Uint32Array;
  /** A sector of zeroes is as good as one that was never written. */
  readonly #blankBase: boolean;

  /** Reads all data of the log once. */
  constructor(log: CrashLog, base: BaseImage) {
    let sectorCount = 0;
    for (const { kind, dataSector, sectorCount: count } of log.entries) {
      if (kind === 'write') sectorCount = Math.max(sectorCount, dataSector + count);
    }
    this.#low = new Uint32Array(sectorCount);
    this.#high = new Uint32Array(sectorCount);
    this.#blankBase = base.isBlank;
    const batch = new Uint8Array(sectorsToBytes(BATCH_SECTORS));
    const words = new Int32Array(batch.buffer);
    for (let start = 0; start < sectorCount; start += BATCH_SECTORS) {
      const count = Math.min(BATCH_SECTORS, sectorCount - start);
      log.data.read(start, count, batch, 0);
      for (let index = 0; index < count; index += 1) {
        this.#hashSector(words, index * SECTOR_WORDS, start + index);
      }
    }
  }

  /** Zeroes hash to 0 and 0. */
  #hashSector(words: Int32Array, start: number, dataSector: number): void {
    let low = 0;
    let high = 0;
    for (let index = start; index < start + SECTOR_WORDS; index += 1) {
      const word = words[index]!;
      if (word === 0) continue;
      const at = index - start;
      low = Math.imul(low ^ word ^ Math.imul(at + 1, 0x9e3779b1), 0x85ebca77) + (low >>> 15);
      high = Math.imul(high + word + Math.imul(at + 1, 0xc2b2ae3d), 0x27d4eb2f) ^ (high >>> 13);
    }
    this.#low[dataSector] = low;
    this.#high[dataSector] = high;
  }

  /** Adds the content of a place at a sector to `into`, or takes it away again. */
  toggle(into: HashPair, sector: number, place: number): void {
    if (place === BASE) return;
    const isData = place >= FIRST_DATA;
    const low = isData ? this.#low[place - FIRST_DATA]! : 0;
    const high = isData ? this.#high[place - FIRST_DATA]! : 0;
    const isZero = place === ZEROES || (low === 0 && high === 0);
    if (isZero && this.#blankBase) return;
    into.low = (into.low ^ mix(low ^ mix(sector + 0x51ed270b))) >>> 0;
    into.high = (into.high ^ mix(high ^ mix(sector + 0x2f8a3c61))) >>> 0;
  }
}

/** A word that is equal for equal contents. */
export function hashWord({ low, high }: HashPair): string {
  return `${low.toString(16)}.${high.toString(16)}`;
}
