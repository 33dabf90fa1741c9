/** Holes and zeroes of a regular file, with fallocate and SEEK_HOLE. */

import { fstat } from 'node:fs';
import { Errno } from '../base/errors.ts';
import { SECTOR_BYTES } from '../base/units.ts';
import { ExtentFlag, type ExtentList } from '../core/extents.ts';
import type { AllocateMode, SpaceCalls } from '../system/space-calls.ts';
import { resultErrno } from './leaf-bio.ts';
import type { ByteRange, Space, ZeroOptions } from './space.ts';

/** Each costs two calls; the rest of the range counts as data. */
const MAX_EXTENTS = 512;

/** errno where a file system or an old kernel lacks a mode. */
const ENOSYS = 38;

export function createFileSpace(calls: SpaceCalls): Space {
  const missing = new Set<AllocateMode>();

  /** errno; a mode that is missing once is not tried again. */
  async function allocate(fd: number, mode: AllocateMode, range: ByteRange): Promise<number> {
    if (missing.has(mode)) return Errno.ENOTSUP;
    const result = await calls.allocateAsync(fd, mode, range.startBytes, range.lengthBytes);
    const error = resultErrno(result);
    if (error !== Errno.ENOTSUP && error !== ENOSYS) return error;
    missing.add(mode);
    return Errno.ENOTSUP;
  }

  return {
    discard: (fd, range) => allocate(fd, 'punchHole', range),
    async writeZeroes(fd, range, { mayUnmap }: ZeroOptions) {
      const error = mayUnmap ? await allocate(fd, 'punchHole', range) : Errno.ENOTSUP;
      return error === Errno.ENOTSUP ? allocate(fd, 'zeroRange', range) : error;
    },
    describe: (fd, range, extents) => describeHoles(calls, fd, range, extents),
  };
}

/** Whether holes can be punched, found out behind the end of the file, where there is nothing to lose. */
export function canPunchHoles(calls: SpaceCalls, fd: number, sizeBytes: number): boolean {
  return calls.allocate(fd, 'punchHole', sizeBytes, SECTOR_BYTES) === 0;
}

async function describeHoles(
  calls: SpaceCalls,
  fd: number,
  { startBytes, lengthBytes }: ByteRange,
  extents: ExtentList,
): Promise<number> {
  const end = startBytes + lengthBytes;
  let position = startBytes;
  for (let count = 0; position < end && count < MAX_EXTENTS; count += 1) {
    const hole = await calls.seekHoleAsync(fd, position);
    if (hole < 0 || hole >= end) return 0;
    const data = await calls.seekDataAsync(fd, hole);
    if (data < 0 && data !== -Errno.ENXIO) return 0;
    const holeEnd = Math.min(end, data < 0 ? await fileSize(fd) : data);
    // Behind the end of a file that shrank there are no zeroes: reading fails there.
    if (holeEnd <= hole) return 0;
    addHole(extents, hole - startBytes, holeEnd - startBytes);
    position = holeEnd;
  }
  return 0;
}

function fileSize(fd: number): Promise<number> {
  return new Promise((resolve) => {
    fstat(fd, (error, stats) => resolve(error ? 0 : stats.size));
  });
}

/** Whole sectors only: part of one is data. */
function addHole(extents: ExtentList, start: number, end: number): void {
  const first = Math.ceil(start / SECTOR_BYTES);
  const behind = Math.floor(end / SECTOR_BYTES);
  extents.add(first, behind - first, ExtentFlag.hole | ExtentFlag.zero);
}
