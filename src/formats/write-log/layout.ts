/**
 * The bytes of dm-log-writes' log: a super block, then entries, each one log sector and behind it the data that were written.
 * Source: Documentation/admin-guide/device-mapper/log-writes.rst and the structures named in drivers/md/dm-log-writes.c; qemu's `blklogwrites` writes the same.
 *
 *   sector 0       super block
 *   sector 1 ...   entry | data (`sectorCount` log sectors; none for a discard) | entry | data ...
 *
 * All numbers, also the places on the disk, count log sectors: the logical block of the disk that was logged (512, 4096), or what qemu was told.
 */

import { bytes, constant, u32le, u64le } from '../../codec/field.ts';
import { struct } from '../../codec/struct.ts';

export const WriteLogFlag = {
  flush: 1,
  fua: 2,
  discard: 4,
  mark: 8,
  metadata: 16,
} as const;

export const KNOWN_FLAGS = 31;

export const SMALLEST_SECTOR_BYTES = 512;
/** qemu's limit; the kernel has 4096 at most, or a page. */
export const LARGEST_SECTOR_BYTES = 2 ** 23;

export const SUPER_BLOCK = struct('write log super block', 28, {
  magic: constant(bytes(8), new TextEncoder().encode('rhswfsj\0')), // 0x6a736677736872
  version: constant(u64le, 1),
  entryCount: u64le,
  sectorBytes: u32le,
});

/** The text of a mark follows in the same sector, ended by at least one NUL; zeros fill the sector. */
export const ENTRY = struct('write log entry', 32, {
  sector: u64le,
  sectorCount: u64le,
  flags: u64le,
  /** Of a mark's text. */
  dataBytes: u64le,
});

export function isSectorSize(sectorBytes: number): boolean {
  const isPowerOfTwo = sectorBytes > 0 && Number.isInteger(Math.log2(sectorBytes));
  return (
    isPowerOfTwo && sectorBytes >= SMALLEST_SECTOR_BYTES && sectorBytes <= LARGEST_SECTOR_BYTES
  );
}

/** What a mark may have for text; the kernel cuts the rest off. */
export function largestMarkBytes(sectorBytes: number): number {
  return sectorBytes - ENTRY.sizeBytes - 1;
}
