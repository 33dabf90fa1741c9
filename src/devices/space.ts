/** Discards, zeroes and holes: what files and block nodes do differently, and what both fall back to. */

import { Errno } from '../base/errors.ts';
import type { ExtentList } from '../core/extents.ts';
import { ioErrno } from './leaf-bio.ts';
import type { CallDone, PoolCalls } from './pool-calls.ts';

export interface ByteRange {
  readonly startBytes: number;
  readonly lengthBytes: number;
}

export interface ZeroOptions {
  /** The range may be deallocated. */
  readonly mayUnmap: boolean;
  /** ENOTSUP rather than anything as slow as writing. */
  readonly fastOnly: boolean;
}

/** Every call answers an errno, 0 for success, and never rejects for what a disk can do. */
export interface Space {
  /** ENOTSUP where the system cannot, as `Limits.discardGranularityBytes` 0 says beforehand. */
  discard(fd: number, range: ByteRange): Promise<number>;
  /** ENOTSUP: the caller writes zeroes itself. */
  writeZeroes(fd: number, range: ByteRange, options: ZeroOptions): Promise<number>;
  /** Adds the holes of the range; what is not added counts as data. */
  describe(fd: number, range: ByteRange, extents: ExtentList): Promise<number>;
}

/** Without system calls of our own: no holes are made, none are seen. */
export const plainSpace: Space = {
  discard: () => Promise.resolve(Errno.ENOTSUP),
  writeZeroes: () => Promise.resolve(Errno.ENOTSUP),
  describe: () => Promise.resolve(0),
};

const PIECE_BYTES = 1024 * 1024;
/** A hint need not fill the cache. */
const MAX_PREFETCH_BYTES = 32 * PIECE_BYTES;

let zeroes: Uint8Array | null = null;
let wasted: Uint8Array | null = null;

/** The slow way, a piece at a time, from memory that all devices share. */
export function writeZeroBytes(calls: PoolCalls, fd: number, range: ByteRange): Promise<number> {
  zeroes ??= new Uint8Array(PIECE_BYTES);
  const memory = zeroes;
  return eachPiece(range, (position, length, done) =>
    calls.write(fd, memory, length, position, done),
  );
}

/** Reads the range into nothing, so that the page cache has it. */
export function prefetchBytes(calls: PoolCalls, fd: number, range: ByteRange): Promise<number> {
  wasted ??= new Uint8Array(PIECE_BYTES);
  const memory = wasted;
  const lengthBytes = Math.min(range.lengthBytes, MAX_PREFETCH_BYTES);
  return eachPiece({ ...range, lengthBytes }, (position, length, done) =>
    calls.read(fd, memory, length, position, done),
  );
}

type Piece = (position: number, length: number, done: CallDone) => void;

async function eachPiece({ startBytes, lengthBytes }: ByteRange, piece: Piece): Promise<number> {
  const end = startBytes + lengthBytes;
  let position = startBytes;
  while (position < end) {
    const start = position;
    const length = Math.min(PIECE_BYTES, end - position);
    const result = await new Promise<number>((resolve) => {
      piece(start, length, (error, count) => resolve(error ? -ioErrno(error) : count));
    });
    if (result <= 0) return result === 0 ? Errno.EIO : -result;
    position += result;
  }
  return 0;
}
