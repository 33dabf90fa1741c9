/**
 * A state of the disk as a block device that can be written: what is written lies in memory over it, a transient snapshot, and is gone with
 * the next state. Everything ends at once, before `submit` returns.
 */

import { assert } from '../base/assert.ts';
import { DmError, Errno } from '../base/errors.ts';
import { sectorsToBytes } from '../base/units.ts';
import { type Bio, BioFlag, Op } from '../core/bio.ts';
import type { BlockDevice } from '../core/device.ts';
import { ExtentFlag } from '../core/extents.ts';
import { DEFAULT_LIMITS } from '../core/limits.ts';
import { refusalOf } from '../devices/leaf-bio.ts';
import { BASE, CHUNK_SECTORS, forEachChunk, readPlaces, ZEROES } from './places.ts';
import type { StateImage } from './state-image.ts';

const CHUNK_BYTES = sectorsToBytes(CHUNK_SECTORS);

export interface StateDiskOptions {
  sizeSectors: number;
  /** As a table would name it. */
  operand: string;
}

export class StateDisk implements BlockDevice {
  readonly number = { major: 0, minor: 0 };
  readonly operand: string;
  readonly sizeSectors: number;
  readonly limits = DEFAULT_LIMITS;
  readonly readOnly = false;
  #image: StateImage | null = null;
  /** What was written since, by chunk; null: zeroes. */
  readonly #written = new Map<number, Uint8Array | null>();

  constructor({ sizeSectors, operand }: StateDiskOptions) {
    this.sizeSectors = sizeSectors;
    this.operand = operand;
  }

  /** From now on the disk is in that state, whatever was written to it; null: there is nothing to read or write. */
  insert(image: StateImage | null): void {
    assert(image === null || image.sizeSectors === this.sizeSectors, 'a state has its disk’s size');
    this.#image = image;
    this.#written.clear();
  }

  submit(bio: Bio): void {
    bio.end(this.#perform(bio));
  }

  #perform(bio: Bio): number {
    if (bio.op === Op.flush) return 0;
    const image = this.#image;
    if (image === null) return Errno.EIO;
    const refusal = refusalOf(this, bio);
    if (refusal !== 0) return refusal;
    try {
      this.#run(image, bio);
      return 0;
    } catch (error) {
      if (error instanceof DmError) return error.errno;
      throw error;
    }
  }

  #run(image: StateImage, bio: Bio): void {
    switch (bio.op) {
      case Op.read:
        if ((bio.flags & BioFlag.prefetch) === 0) this.#read(image, bio);
        return;
      case Op.write:
        this.#write(image, bio);
        return;
      case Op.discard:
      case Op.writeZeroes:
        this.#zero(image, bio);
        return;
      case Op.blockStatus:
        this.#describe(image, bio);
        return;
      default:
        assert(false, `a state knows operation ${String(bio.op)}`);
    }
  }

  #read(image: StateImage, { sector, sectorCount, data, dataOffset }: Bio): void {
    forEachChunk(sector, sectorCount, (number, startInChunk, count, done) => {
      const written = this.#written.get(number);
      const offset = dataOffset + sectorsToBytes(done);
      if (written === undefined) {
        const range = { sector: sector + done, sectorCount: count };
        readPlaces(image.source, image.find, range, data, offset);
      } else if (written === null) {
        data.fill(0, offset, offset + sectorsToBytes(count));
      } else {
        const start = sectorsToBytes(startInChunk);
        data.set(written.subarray(start, start + sectorsToBytes(count)), offset);
      }
    });
  }

  #write(image: StateImage, { sector, sectorCount, data, dataOffset }: Bio): void {
    forEachChunk(sector, sectorCount, (number, startInChunk, count, done) => {
      const from = dataOffset + sectorsToBytes(done);
      const part = data.subarray(from, from + sectorsToBytes(count));
      this.#writable(image, number, count).set(part, sectorsToBytes(startInChunk));
    });
  }

  #zero(image: StateImage, { sector, sectorCount }: Bio): void {
    forEachChunk(sector, sectorCount, (number, startInChunk, count) => {
      if (count === CHUNK_SECTORS) {
        this.#written.set(number, null);
        return;
      }
      const start = sectorsToBytes(startInChunk);
      this.#writable(image, number, count).fill(0, start, start + sectorsToBytes(count));
    });
  }

  /** The chunk's bytes in memory, as they are unless all of them are about to be written. */
  #writable(image: StateImage, number: number, count: number): Uint8Array {
    const written = this.#written.get(number);
    if (written) return written;
    const bytes = new Uint8Array(CHUNK_BYTES);
    if (written === undefined && count < CHUNK_SECTORS) {
      const sector = number * CHUNK_SECTORS;
      const sectorCount = Math.min(CHUNK_SECTORS, this.sizeSectors - sector);
      readPlaces(image.source, image.find, { sector, sectorCount }, bytes, 0);
    }
    this.#written.set(number, bytes);
    return bytes;
  }

  #describe(image: StateImage, { sector, sectorCount, extents }: Bio): void {
    forEachChunk(sector, sectorCount, (number, startInChunk, count, done) => {
      const written = this.#written.get(number);
      const isHole =
        written === null ||
        (written === undefined && isBlank(image, number, startInChunk, startInChunk + count));
      extents?.add(done, count, isHole ? ExtentFlag.hole | ExtentFlag.zero : 0);
    });
  }
}

function isBlank({ source, find }: StateImage, number: number, start: number, end: number) {
  const chunk = find(number);
  const isZero = (place: number) => place === ZEROES || (place === BASE && source.base.isBlank);
  return chunk === null ? isZero(BASE) : chunk.subarray(start, end).every(isZero);
}
