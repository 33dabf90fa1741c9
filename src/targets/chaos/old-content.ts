/** What was in sectors before their last write, for the rule `stale`: the sectors that were written last, up to a limit. */

import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';

export class OldContent {
  readonly #limitSectors: number;
  /** In the order they were written. */
  readonly #sectors = new Map<number, Uint8Array>();

  constructor(limitSectors: number) {
    this.#limitSectors = limitSectors;
  }

  get sectorCount(): number {
    return this.#sectors.size;
  }

  /** Whether so many sectors can be remembered at all. */
  fits(sectorCount: number): boolean {
    return sectorCount <= this.#limitSectors;
  }

  /** `bytes` is what the sectors hold just before they are written. */
  remember(sector: number, bytes: Uint8Array): void {
    for (let index = 0; index * SECTOR_BYTES < bytes.length; index += 1) {
      const offset = sectorsToBytes(index);
      this.#sectors.delete(sector + index);
      this.#sectors.set(sector + index, bytes.slice(offset, offset + SECTOR_BYTES));
    }
    for (const oldest of this.#sectors.keys()) {
      if (this.#sectors.size <= this.#limitSectors) break;
      this.#sectors.delete(oldest);
    }
  }

  forget(sector: number, sectorCount: number): void {
    if (sectorCount <= this.#limitSectors) {
      for (let index = 0; index < sectorCount; index += 1) this.#sectors.delete(sector + index);
      return;
    }
    for (const known of [...this.#sectors.keys()]) {
      if (known >= sector && known < sector + sectorCount) this.#sectors.delete(known);
    }
  }

  touches(sector: number, sectorCount: number): boolean {
    if (this.#sectors.size === 0) return false;
    for (let index = 0; index < sectorCount; index += 1) {
      if (this.#sectors.has(sector + index)) return true;
    }
    return false;
  }

  /** Puts what is remembered over what was read. */
  overlay(sector: number, bytes: Uint8Array): void {
    for (let index = 0; index * SECTOR_BYTES < bytes.length; index += 1) {
      const old = this.#sectors.get(sector + index);
      if (old) bytes.set(old, sectorsToBytes(index));
    }
  }
}
