/**
 * Where things lie on a COW device, in chunks: the header, then areas of exceptions, each followed by the chunks of data that it has exceptions for.
 *
 *   0 header | 1 area 0 | 2 ... data | 1 + stride area 1 | ... data | 1 + 2 stride area 2 | ...
 */

import { SECTOR_BYTES } from '../../base/units.ts';

export const EXCEPTION_BYTES = 16;
const HEADER_CHUNKS = 1;

export class StoreGeometry {
  readonly chunkSectors: number;
  readonly chunkBytes: number;
  readonly exceptionsPerArea: number;
  /** From one area to the next. */
  readonly strideChunks: number;

  constructor(chunkSectors: number) {
    this.chunkSectors = chunkSectors;
    this.chunkBytes = chunkSectors * SECTOR_BYTES;
    this.exceptionsPerArea = this.chunkBytes / EXCEPTION_BYTES;
    this.strideChunks = this.exceptionsPerArea + 1;
  }

  /** Whole ones: what is left at the end of a device is not used. */
  chunkCountOf(sizeSectors: number): number {
    return Math.floor(sizeSectors / this.chunkSectors);
  }

  areaChunk(area: number): number {
    return HEADER_CHUNKS + area * this.strideChunks;
  }

  /** Behind the header and the first area. */
  get firstDataChunk(): number {
    return this.areaChunk(0) + 1;
  }

  isArea(chunk: number): boolean {
    return chunk % this.strideChunks === HEADER_CHUNKS;
  }

  /** The chunk itself, or the one behind where it is an area. */
  dataChunkFrom(chunk: number): number {
    return this.isArea(chunk) ? chunk + 1 : chunk;
  }
}
