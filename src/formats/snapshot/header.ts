/**
 * The header of the kernel's persistent exception store, in the first chunk of a COW device: 16 bytes, little-endian, zeros behind.
 *
 * Source: struct disk_header in the kernel's documentation of the format (drivers/md/dm-snap-persistent.c); what a 6.12 kernel takes and refuses.
 */

import { DmError, type ErrnoName } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import { u32le } from '../../codec/field.ts';
import { struct } from '../../codec/struct.ts';

/** "SnAp" */
const MAGIC = 0x70416e53;
const VERSION = 1;
export const HEADER_BYTES = 16;
/** The kernel's: 2 GiB are too many bytes for its int. */
const MAX_CHUNK_SECTORS = 2 ** 22 - 1;

const layout = struct('snapshot header', HEADER_BYTES, {
  magic: u32le,
  valid: u32le,
  version: u32le,
  chunkSectors: u32le,
});

export interface SnapshotHeader {
  /** false: the snapshot was dropped, and nothing brings it back. */
  readonly isValid: boolean;
  readonly chunkSectors: number;
}

export function encodeHeader({ isValid, chunkSectors }: SnapshotHeader): Uint8Array {
  return layout.encode({ magic: MAGIC, valid: isValid ? 1 : 0, version: VERSION, chunkSectors });
}

/**
 * What is on a COW device; null where nothing is, and whoever uses it first makes a store. `blockBytes`: chunks are multiples of them. Throws a DmError with the
 * kernel's words and errno for anything else.
 */
export function decodeHeader(
  bytes: Uint8Array,
  blockBytes: readonly number[] = [],
): SnapshotHeader | null {
  const { magic, valid, version, chunkSectors } = layout.decode(bytes);
  if (magic === 0) return null;
  if (magic !== MAGIC) {
    const got = `0x${magic.toString(16).padStart(8, '0')}`;
    throw refusal('ENXIO', `Invalid or corrupt snapshot: magic: expected 0x70416e53, got ${got}`);
  }
  // In this order: of a store that is wrong in two ways the kernel names this one.
  const problem = chunkProblem(chunkSectors, blockBytes);
  if (problem) throw refusal('EINVAL', `invalid on-disk chunk size ${chunkSectors}: ${problem}`);
  if (version !== VERSION) {
    throw refusal('EINVAL', `unable to handle snapshot disk version ${version}, expected 1`);
  }
  return { isValid: valid !== 0, chunkSectors };
}

/** In the kernel's words; null: a chunk may have that size. */
function chunkProblem(chunkSectors: number, blockBytes: readonly number[]): string | null {
  if (chunkSectors === 0 || !Number.isInteger(Math.log2(chunkSectors))) {
    return 'Chunk size is not a power of 2';
  }
  if (blockBytes.some((bytes) => (chunkSectors * SECTOR_BYTES) % bytes !== 0)) {
    return 'Chunk size is not a multiple of device blocksize';
  }
  return chunkSectors > MAX_CHUNK_SECTORS ? 'Chunk size is too high' : null;
}

function refusal(code: ErrnoName, message: string): DmError {
  return new DmError(code, `Cannot read the snapshot header: ${message}`);
}
