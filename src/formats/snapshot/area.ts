/**
 * An area of a persistent exception store: a chunk of pairs {chunk of the origin, chunk of the COW device}, 64 bits each, little-endian. The first whose
 * second half is 0, which is the header's chunk, ends the store; what lies behind it means nothing.
 */

import { FormatError } from '../../base/errors.ts';
import { MAX_SECTORS } from '../../base/units.ts';
import { EXCEPTION_BYTES, type StoreGeometry } from './geometry.ts';

export interface Exception {
  readonly oldChunk: number;
  readonly newChunk: number;
}

const HIGH = 2 ** 32;

export class ExceptionArea {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #geometry: StoreGeometry;
  readonly #chunkCount: number;
  readonly #number: number;

  /** `chunkCount`: of the COW device. */
  constructor(bytes: Uint8Array, geometry: StoreGeometry, place: AreaPlace) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#geometry = geometry;
    this.#chunkCount = place.chunkCount;
    this.#number = place.number;
  }

  isEnd(index: number): boolean {
    const at = index * EXCEPTION_BYTES + 8;
    return this.#view.getUint32(at, true) === 0 && this.#view.getUint32(at + 4, true) === 0;
  }

  /** Throws FormatError for chunks that there cannot be. */
  oldChunk(index: number): number {
    const chunk = this.#chunkAt(index * EXCEPTION_BYTES);
    if (chunk * this.#geometry.chunkSectors < MAX_SECTORS) return chunk;
    throw this.#problem(index, 0, 'a chunk that a disk can have', chunk);
  }

  /** The same; the device has it whole, and it has data. */
  newChunk(index: number): number {
    const chunk = this.#chunkAt(index * EXCEPTION_BYTES + 8);
    const { firstDataChunk } = this.#geometry;
    const isThere = chunk >= firstDataChunk && chunk < this.#chunkCount;
    if (isThere && !this.#geometry.isArea(chunk)) return chunk;
    const expected = `a chunk of data below ${this.#chunkCount}, the end of the COW device`;
    throw this.#problem(index, 8, expected, chunk);
  }

  /** How many exceptions there are before the end. */
  count(): number {
    const { exceptionsPerArea } = this.#geometry;
    let index = 0;
    while (index < exceptionsPerArea && !this.isEnd(index)) index += 1;
    return index;
  }

  set(index: number, { oldChunk, newChunk }: Exception): void {
    this.#setChunk(index * EXCEPTION_BYTES, oldChunk);
    this.#setChunk(index * EXCEPTION_BYTES + 8, newChunk);
  }

  #chunkAt(at: number): number {
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * HIGH;
  }

  #setChunk(at: number, chunk: number): void {
    this.#view.setUint32(at, chunk % HIGH, true);
    this.#view.setUint32(at + 4, chunk / HIGH, true);
  }

  #problem(index: number, offsetBytes: number, expected: string, got: number): FormatError {
    return new FormatError({
      format: 'exception store',
      field: `area ${this.#number}, exception ${index}, ${offsetBytes === 0 ? 'old' : 'new'} chunk`,
      offsetBytes:
        this.#geometry.areaChunk(this.#number) * this.#geometry.chunkBytes +
        index * EXCEPTION_BYTES +
        offsetBytes,
      expected,
      got: String(got),
    });
  }
}

export interface AreaPlace {
  readonly number: number;
  readonly chunkCount: number;
}
