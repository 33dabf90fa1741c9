/** Holes and zeroes in a file, and which file system it is on. The async forms run on libuv's threads. */
import { PinnedBuffer } from './pinned-buffer.ts';
import type { RawCalls } from './raw-calls.ts';

/**
 * - `allocate`: blocks for the range, the file grows to hold it; `allocateKeepSize`: without growing.
 * - `punchHole`: frees the blocks, reads as zeroes, never grows.
 * - `zeroRange`: reads as zeroes and stays allocated, the file grows; `zeroRangeKeepSize`: without growing.
 *
 * -ENOTSUP where the file system cannot (tmpfs cannot zero a range).
 */
export type AllocateMode =
  | 'allocate'
  | 'allocateKeepSize'
  | 'punchHole'
  | 'zeroRange'
  | 'zeroRangeKeepSize';

/** FALLOC_FL_KEEP_SIZE 1, PUNCH_HOLE 2 (only with KEEP_SIZE), ZERO_RANGE 16 */
const modeBits: Record<AllocateMode, number> = {
  allocate: 0,
  allocateKeepSize: 1,
  punchHole: 3,
  zeroRange: 16,
  zeroRangeKeepSize: 17,
};

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** What `fileSystemMagic` answers, for the kinds that callers treat differently. */
export const FileSystemMagic = {
  tmpfs: 0x01021994,
  ext4: 0xef53,
  xfs: 0x58465342,
  btrfs: 0x9123683e,
  overlay: 0x794c7630,
  fuse: 0x65735546,
  nfs: 0x6969,
} as const;

export interface SpaceCalls {
  allocate(fd: number, mode: AllocateMode, positionBytes: number, lengthBytes: number): number;
  /** The descriptor must stay open until the answer comes. */
  allocateAsync(
    fd: number,
    mode: AllocateMode,
    positionBytes: number,
    lengthBytes: number,
  ): Promise<number>;
  /** Where the next data from `positionBytes` starts; -ENXIO when only a hole is left or the file ends before. */
  seekData(fd: number, positionBytes: number): number;
  /**
   * Where the next hole from `positionBytes` starts, the end of the file counting as one; -ENXIO past the end. tmpfs looks
   * at every page on the way (27 ns each, 7 ms per GiB): the async form for ranges of unknown size.
   */
  seekHole(fd: number, positionBytes: number): number;
  seekDataAsync(fd: number, positionBytes: number): Promise<number>;
  seekHoleAsync(fd: number, positionBytes: number): Promise<number>;
  /**
   * f_type of statfs(2), see `FileSystemMagic`. Ask for regular files only: a block device node answers for the file
   * system its name is on, and /dev answers tmpfs.
   */
  fileSystemMagic(fd: number): number;
}

export function createSpaceCalls(raw: RawCalls): SpaceCalls {
  const statfs = PinnedBuffer.allocate(120);

  return {
    allocate: (fd, mode, positionBytes, lengthBytes) =>
      raw.fallocate(fd, modeBits[mode], positionBytes, lengthBytes),
    allocateAsync: (fd, mode, positionBytes, lengthBytes) =>
      raw.fallocateAsync(fd, modeBits[mode], positionBytes, lengthBytes),
    seekData: (fd, positionBytes) => raw.lseek(fd, positionBytes, SEEK_DATA),
    seekHole: (fd, positionBytes) => raw.lseek(fd, positionBytes, SEEK_HOLE),
    seekDataAsync: (fd, positionBytes) => raw.lseekAsync(fd, positionBytes, SEEK_DATA),
    seekHoleAsync: (fd, positionBytes) => raw.lseekAsync(fd, positionBytes, SEEK_HOLE),
    fileSystemMagic(fd) {
      const result = raw.fstatfs(fd, statfs);
      return result < 0 ? result : statfs.view.getUint32(0, true);
    },
  };
}
