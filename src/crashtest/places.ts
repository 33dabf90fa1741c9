/**
 * Where the content of each sector lies: a number for each, in chunks, so that states that differ little share most of it.
 *
 * A place is `BASE` (what was there before the workload), `ZEROES`, or `FIRST_DATA` + a sector of the log's data.
 */

import { sectorsToBytes } from '../base/units.ts';
import type { BaseImage } from './base-image.ts';
import type { LogEntry } from './crash-log.ts';
import type { LogData } from './log-data.ts';

export const BASE = 0;
export const ZEROES = -1;
export const FIRST_DATA = 1;

export const CHUNK_SECTORS = 64;

/** Places of the sectors of one chunk. */
export type Chunk = Int32Array;

/** The chunk of that number; null: all of it is `BASE`. */
export type FindChunk = (number: number) => Chunk | null;

/** Sectors of an entry, counted from its first: [start, end). */
export interface SectorRange {
  start: number;
  end: number;
}

/** What content is read from. */
export interface PlaceSource {
  base: BaseImage;
  data: LogData;
}

/** Calls `visit` for each part of [sector, sector + sectorCount) that lies in one chunk. */
export function forEachChunk(
  sector: number,
  sectorCount: number,
  visit: (chunk: number, startInChunk: number, count: number, done: number) => void,
): void {
  for (let done = 0; done < sectorCount; ) {
    const at = sector + done;
    const startInChunk = at % CHUNK_SECTORS;
    const count = Math.min(sectorCount - done, CHUNK_SECTORS - startInChunk);
    visit((at - startInChunk) / CHUNK_SECTORS, startInChunk, count, done);
    done += count;
  }
}

/** Puts a part of an entry's content into the chunks that `writable` gives. */
export function placeEntry(
  entry: LogEntry,
  { start, end }: SectorRange,
  writable: (number: number) => Chunk,
): void {
  const hasData = entry.kind === 'write';
  forEachChunk(entry.sector + start, end - start, (number, startInChunk, count, done) => {
    const chunk = writable(number);
    if (!hasData) {
      chunk.fill(ZEROES, startInChunk, startInChunk + count);
      return;
    }
    const first = FIRST_DATA + entry.dataSector + start + done;
    for (let index = 0; index < count; index += 1) chunk[startInChunk + index] = first + index;
  });
}

/** Reads sectors from where `find` says that they are, neighbours in one go. Throws DmError EIO. */
export function readPlaces(
  source: PlaceSource,
  find: FindChunk,
  range: { sector: number; sectorCount: number },
  target: Uint8Array,
  offsetBytes: number,
): void {
  forEachChunk(range.sector, range.sectorCount, (number, startInChunk, count, done) => {
    const chunk = find(number);
    for (let index = 0; index < count; ) {
      const place = chunk === null ? BASE : chunk[startInChunk + index]!;
      const length = chunk === null ? count : runLength(chunk, startInChunk + index, count - index);
      const offset = offsetBytes + sectorsToBytes(done + index);
      if (place === ZEROES) target.fill(0, offset, offset + sectorsToBytes(length));
      else if (place === BASE)
        source.base.read(range.sector + done + index, length, target, offset);
      else source.data.read(place - FIRST_DATA, length, target, offset);
      index += length;
    }
  });
}

/** How many sectors from `start` on lie behind one another, or are all of one kind. */
function runLength(chunk: Chunk, start: number, limit: number): number {
  const first = chunk[start]!;
  const step = first >= FIRST_DATA ? 1 : 0;
  let length = 1;
  while (length < limit && chunk[start + length] === first + length * step) length += 1;
  return length;
}
