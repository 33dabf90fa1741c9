/**
 * Contents of sectors that say what they are: a number fills a sector, and a sector tells its number, or that it is none
 * (torn, mixed, encrypted). 0 is a sector of zeroes.
 */

import { SECTOR_BYTES } from '../../base/units.ts';

const WORDS = SECTOR_BYTES / 4;
const words = new Uint32Array(WORDS);
const scratch = new Uint8Array(words.buffer);

function fillScratch(stamp: number): void {
  if (stamp === 0) {
    words.fill(0);
    return;
  }
  words[0] = stamp;
  for (let index = 1; index < WORDS; index += 1)
    words[index] = Math.imul(stamp + index, 0x9e3779b1);
}

/** Puts the sector of a number there. */
export function writeStamp(target: Uint8Array, offset: number, stamp: number): void {
  fillScratch(stamp);
  target.set(scratch, offset);
}

/** The number of the sector there; null: it is of none. */
export function readStamp(source: Uint8Array, offset: number): number | null {
  const stamp =
    (source[offset]! |
      (source[offset + 1]! << 8) |
      (source[offset + 2]! << 16) |
      (source[offset + 3]! << 24)) >>>
    0;
  fillScratch(stamp);
  const sector = source.subarray(offset, offset + SECTOR_BYTES);
  return Buffer.compare(sector, scratch) === 0 ? stamp : null;
}
