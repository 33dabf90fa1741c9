/** The data of a log's writes, one after another, counted in sectors. Read without waiting: a state must cost next to nothing. */

import { SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';

export interface LogData {
  /** Copies `sectorCount` sectors from `dataSector` on into `target`. Throws DmError EIO. */
  read(dataSector: number, sectorCount: number, target: Uint8Array, offsetBytes: number): void;
}

const SLAB_SECTORS = 2048;

/** A log's data in memory; grows at its end. */
export class MemoryLogData implements LogData {
  readonly #slabs: Uint8Array[] = [];
  #sectorCount = 0;

  get sectorCount(): number {
    return this.#sectorCount;
  }

  /** Answers where the data, whole sectors, begin. They are copied. */
  append(bytes: Uint8Array): number {
    const start = this.#sectorCount;
    for (let done = 0; done < bytes.byteLength; ) {
      const slab = this.#slabOf(this.#sectorCount);
      const offset = sectorsToBytes(this.#sectorCount % SLAB_SECTORS);
      const part = bytes.subarray(done, done + slab.byteLength - offset);
      slab.set(part, offset);
      done += part.byteLength;
      this.#sectorCount += part.byteLength / SECTOR_BYTES;
    }
    return start;
  }

  read(dataSector: number, sectorCount: number, target: Uint8Array, offsetBytes: number): void {
    for (let done = 0; done < sectorCount; ) {
      const inSlab = (dataSector + done) % SLAB_SECTORS;
      const count = Math.min(sectorCount - done, SLAB_SECTORS - inSlab);
      const slab = this.#slabOf(dataSector + done);
      const part = slab.subarray(sectorsToBytes(inSlab), sectorsToBytes(inSlab + count));
      target.set(part, offsetBytes + sectorsToBytes(done));
      done += count;
    }
  }

  #slabOf(dataSector: number): Uint8Array {
    const index = Math.floor(dataSector / SLAB_SECTORS);
    this.#slabs[index] ??= new Uint8Array(sectorsToBytes(SLAB_SECTORS));
    return this.#slabs[index];
  }
}
