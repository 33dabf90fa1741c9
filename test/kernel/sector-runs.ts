/**
 * Disks whose sectors say a number each, as text: `FIRST+COUNT` for sectors that say one number after the other (0: all the same), comma between. What says none is
 * `?+1` in an answer; an image has its bytes there, in base64 without the zeros at the end.
 */

import { sectorsToBytes } from '../../src/base/units.ts';
import { numberedSectors } from '../../src/testing/snapshot-rig.ts';

const SECTOR_BYTES = 512;

/** What a device reads, as device-guest.pl prints it. */
export function contentText(bytes: Uint8Array): string {
  return runs(bytes, () => '?+1');
}

export function imageText(bytes: Uint8Array): string {
  return runs(bytes, (sector) => `=${Buffer.from(withoutZeros(sector)).toString('base64')}`);
}

export function imageBytes(text: string): Uint8Array {
  const parts = text.split(',').map((word) => {
    if (word.startsWith('=')) return literal(word.slice(1));
    const [first = 0, count = 0] = word.split('+').map(Number);
    return first === 0 ? new Uint8Array(sectorsToBytes(count)) : numberedSectors(first, count);
  });
  return new Uint8Array(Buffer.concat(parts));
}

function literal(base64: string): Uint8Array {
  const sector = new Uint8Array(SECTOR_BYTES);
  sector.set(Buffer.from(base64, 'base64'));
  return sector;
}

function withoutZeros(sector: Uint8Array): Uint8Array {
  return sector.subarray(0, sector.findLastIndex((byte) => byte !== 0) + 1);
}

interface Run {
  first: number;
  count: number;
}

function runs(bytes: Uint8Array, other: (sector: Uint8Array) => string): string {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const parts: string[] = [];
  let run: Run | null = null;
  const finish = () => {
    if (run !== null) parts.push(`${run.first}+${run.count}`);
    run = null;
  };
  for (let at = 0; at < bytes.byteLength; at += SECTOR_BYTES) {
    const number = numberOf(words, at / 4);
    if (number === null) {
      finish();
      parts.push(other(bytes.subarray(at, at + SECTOR_BYTES)));
    } else if (run !== null && number === next(run)) {
      run.count += 1;
    } else {
      finish();
      run = { first: number, count: 1 };
    }
  }
  finish();
  return parts.join(',');
}

const next = ({ first, count }: Run) => (first === 0 ? 0 : first + count);

function numberOf(words: Uint32Array, at: number): number | null {
  const first = words[at]!;
  for (let index = 1; index < SECTOR_BYTES / 4; index += 1) {
    if (words[at + index] !== first) return null;
  }
  return first;
}
