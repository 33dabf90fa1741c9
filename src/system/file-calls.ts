/** Reads and writes at a position, in one piece or many. Every call answers a count >= 0 or a negative errno. */
import { IoVector } from './io-vector.ts';
import type { PinnedBuffer } from './pinned-buffer.ts';
import type { RawCalls } from './raw-calls.ts';

/** Or them together; which file systems take them is in docs/decisions/0001-system-calls.md. */
export const TransferFlag = {
  none: 0,
  /** RWF_DSYNC: a write that answers once the bytes are on the disk, as FUA does. */
  dataSync: 0x2,
  /**
   * RWF_NOWAIT: -EAGAIN where it would wait, a short count where only the first part would not, -ENOTSUP where the
   * file system cannot tell (tmpfs, FUSE, buffered writes on ext4): ask once per open file and remember.
   */
  noWait: 0x8,
} as const;

export interface FileCalls {
  read(
    fd: number,
    buffer: PinnedBuffer,
    offsetBytes: number,
    lengthBytes: number,
    positionBytes: number,
    flags: number,
  ): number;
  write(
    fd: number,
    buffer: PinnedBuffer,
    offsetBytes: number,
    lengthBytes: number,
    positionBytes: number,
    flags: number,
  ): number;
  /** After a short count: `vector.consume(count)` and again, `count` bytes further. */
  readVector(fd: number, vector: IoVector, positionBytes: number, flags: number): number;
  writeVector(fd: number, vector: IoVector, positionBytes: number, flags: number): number;
  /** fdatasync(2). It waits for the disk: not on a thread that others need. */
  syncData(fd: number): number;
}

export function createFileCalls(raw: RawCalls): FileCalls {
  const single = new IoVector();

  function pieceOf(buffer: PinnedBuffer, offsetBytes: number, lengthBytes: number): IoVector {
    single.clear();
    single.append(buffer, offsetBytes, lengthBytes);
    return single;
  }

  return {
    read: (fd, buffer, offsetBytes, lengthBytes, positionBytes, flags) =>
      flags === TransferFlag.none
        ? raw.pread(fd, buffer, offsetBytes, lengthBytes, positionBytes)
        : raw.preadv2(fd, pieceOf(buffer, offsetBytes, lengthBytes), positionBytes, flags),
    write: (fd, buffer, offsetBytes, lengthBytes, positionBytes, flags) =>
      flags === TransferFlag.none
        ? raw.pwrite(fd, buffer, offsetBytes, lengthBytes, positionBytes)
        : raw.pwritev2(fd, pieceOf(buffer, offsetBytes, lengthBytes), positionBytes, flags),
    readVector: (fd, vector, positionBytes, flags) => raw.preadv2(fd, vector, positionBytes, flags),
    writeVector: (fd, vector, positionBytes, flags) =>
      raw.pwritev2(fd, vector, positionBytes, flags),
    syncData: (fd) => raw.fdatasync(fd),
  };
}
