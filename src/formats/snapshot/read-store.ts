/**
 * Reads a whole persistent exception store: the header, then one area after the other up to the first that is not full. Never writes.
 *
 * Nothing on the disk decides how much is read but what the device has room for: areas lie further and further behind, and one beyond the end is refused,
 * so that the longest store has as many exceptions as the device has chunks.
 */

import { DmError } from '../../base/errors.ts';
import { bytesToSectors } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { ExceptionArea } from './area.ts';
import { EXCEPTION_BYTES, StoreGeometry } from './geometry.ts';
import { decodeHeader, HEADER_BYTES, type SnapshotHeader } from './header.ts';

export interface StoreContent {
  readonly geometry: StoreGeometry;
  /** The first that is not full; where exceptions are added. */
  readonly area: ExceptionArea;
  readonly areaNumber: number;
  readonly exceptionsInArea: number;
  /** Where the next data go: behind all that there are. */
  readonly nextFree: number;
  /** Something lies behind the end in that area: what a write left that was torn. */
  readonly hasRemains: boolean;
}

export interface ReadHeaderOptions {
  /** Of the devices that chunks must be multiples of the blocks of. */
  readonly blockBytes?: readonly number[];
}

/** What is on the device; null where nothing is. Throws DmError. */
export async function readSnapshotHeader(
  disk: ByteDisk,
  { blockBytes = [] }: ReadHeaderOptions = {},
): Promise<SnapshotHeader | null> {
  const lengthBytes = Math.max(disk.sectorBytes, HEADER_BYTES);
  return decodeHeader(await disk.read(0, lengthBytes), [disk.sectorBytes, ...blockBytes]);
}

/** How much is asked for ahead of the area that is looked at: areas lie far from each other. */
const AHEAD_BYTES = 4 * 1024 * 1024;
const AHEAD_AREAS = 32;

/** Calls `visit` for each exception, in the order of the store. Throws DmError, FormatError. */
export async function readStore(
  disk: ByteDisk,
  chunkSectors: number,
  visit: (oldChunk: number, newChunk: number) => void,
): Promise<StoreContent> {
  const geometry = new StoreGeometry(chunkSectors);
  const reader = new AreaReader(disk, geometry);
  const { exceptionsPerArea } = geometry;
  let nextFree = geometry.firstDataChunk;
  for (let areaNumber = 0; ; areaNumber += 1) {
    const area = await reader.read(areaNumber);
    const exceptionsInArea = area.count();
    for (let index = 0; index < exceptionsInArea; index += 1) {
      const newChunk = area.newChunk(index);
      visit(area.oldChunk(index), newChunk);
      if (newChunk >= nextFree) nextFree = newChunk + 1;
    }
    if (exceptionsInArea === exceptionsPerArea) continue;
    const behind = area.bytes.subarray(exceptionsInArea * EXCEPTION_BYTES);
    const hasRemains = behind.some((byte) => byte !== 0);
    behind.fill(0);
    nextFree = geometry.dataChunkFrom(nextFree);
    return { geometry, area, areaNumber, exceptionsInArea, nextFree, hasRemains };
  }
}

/** Reads areas one after the other, and the next ones meanwhile. */
class AreaReader {
  readonly #disk: ByteDisk;
  readonly #geometry: StoreGeometry;
  readonly #chunkCount: number;
  readonly #aheadAreas: number;
  /** Those that are under way, from the one that is next. */
  readonly #ahead: Promise<Uint8Array>[] = [];

  constructor(disk: ByteDisk, geometry: StoreGeometry) {
    this.#disk = disk;
    this.#geometry = geometry;
    this.#chunkCount = geometry.chunkCountOf(bytesToSectors(disk.sizeBytes));
    const fitting = Math.floor(AHEAD_BYTES / geometry.chunkBytes);
    this.#aheadAreas = Math.max(1, Math.min(AHEAD_AREAS, fitting));
  }

  async read(number: number): Promise<ExceptionArea> {
    this.#readAhead(number);
    const pending = this.#ahead.shift();
    if (!pending) {
      const chunk = this.#geometry.areaChunk(number);
      throw new DmError(
        'EIO',
        `Cannot read area ${number} of the exception store on "${this.#disk.name}": it lies at chunk ${chunk}, and the device has ${this.#chunkCount}`,
      );
    }
    const place = { number, chunkCount: this.#chunkCount };
    return new ExceptionArea(await pending, this.#geometry, place);
  }

  /** As many as there are still, from `number` on. The first alone: most stores have no second. */
  #readAhead(number: number): void {
    const wanted = number === 0 ? 1 : this.#aheadAreas;
    while (this.#ahead.length < wanted) {
      const chunk = this.#geometry.areaChunk(number + this.#ahead.length);
      if (chunk >= this.#chunkCount) return;
      const { chunkBytes } = this.#geometry;
      const reading = this.#disk.read(chunk * chunkBytes, chunkBytes);
      // One that nobody comes to await must not end the process.
      reading.catch(() => undefined);
      this.#ahead.push(reading);
    }
  }
}
