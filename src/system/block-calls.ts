/** What a block device node says about itself, and discard and write zeroes on it. -ENOTTY for anything else. */
import { PinnedBuffer } from './pinned-buffer.ts';
import type { RawCalls } from './raw-calls.ts';
import { getU64, putU64 } from './u64.ts';

/** <linux/fs.h>; the same numbers on x86_64 and arm64. */
const BLKROGET = 0x125e;
const BLKSSZGET = 0x1268;
const BLKDISCARD = 0x1277;
const BLKIOMIN = 0x1278;
const BLKIOOPT = 0x1279;
const BLKPBSZGET = 0x127b;
const BLKZEROOUT = 0x127f;
const BLKGETSIZE64 = 0x80081272;

export interface BlockCalls {
  sizeBytes(fd: number): number;
  /** The smallest read or write. */
  logicalBlockBytes(fd: number): number;
  /** The smallest write without read-modify-write. */
  physicalBlockBytes(fd: number): number;
  minimumIoBytes(fd: number): number;
  /** 0 when the device has no favourite. */
  optimalIoBytes(fd: number): number;
  /** 1 or 0. */
  isReadOnly(fd: number): number;
  /** Whole logical blocks; the contents are undefined afterwards. -ENOTSUP when the device cannot. */
  discard(fd: number, positionBytes: number, lengthBytes: number): number;
  /** The descriptor must stay open until the answer comes. */
  discardAsync(fd: number, positionBytes: number, lengthBytes: number): Promise<number>;
  /** Whole logical blocks; the kernel writes zeroes itself where the device cannot. */
  zeroOut(fd: number, positionBytes: number, lengthBytes: number): number;
  zeroOutAsync(fd: number, positionBytes: number, lengthBytes: number): Promise<number>;
}

/** u64[2]: start, length */
function putRange(buffer: PinnedBuffer, positionBytes: number, lengthBytes: number): PinnedBuffer {
  putU64(buffer.view, 0, positionBytes);
  putU64(buffer.view, 8, lengthBytes);
  return buffer;
}

export function createBlockCalls(raw: RawCalls): BlockCalls {
  const scratch = PinnedBuffer.allocate(16);

  /** All of these write four bytes but for the size, which is its own. */
  function query(fd: number, request: number): number {
    const result = raw.ioctl(fd, request, scratch, 8);
    return result < 0 ? result : scratch.view.getUint32(0, true);
  }

  function onRange(request: number) {
    return (fd: number, positionBytes: number, lengthBytes: number): number =>
      raw.ioctl(fd, request, putRange(scratch, positionBytes, lengthBytes), 16);
  }

  /** Memory of its own for each: several may be under way. */
  function onRangeAsync(request: number) {
    return async (fd: number, positionBytes: number, lengthBytes: number): Promise<number> => {
      const range = putRange(PinnedBuffer.allocate(16), positionBytes, lengthBytes);
      return raw.ioctlAsync(fd, request, range, 16);
    };
  }

  return {
    sizeBytes(fd) {
      const result = raw.ioctl(fd, BLKGETSIZE64, scratch, 8);
      return result < 0 ? result : getU64(scratch.view, 0);
    },
    logicalBlockBytes: (fd) => query(fd, BLKSSZGET),
    physicalBlockBytes: (fd) => query(fd, BLKPBSZGET),
    minimumIoBytes: (fd) => query(fd, BLKIOMIN),
    optimalIoBytes: (fd) => query(fd, BLKIOOPT),
    isReadOnly: (fd) => query(fd, BLKROGET),
    discard: onRange(BLKDISCARD),
    discardAsync: onRangeAsync(BLKDISCARD),
    zeroOut: onRange(BLKZEROOUT),
    zeroOutAsync: onRangeAsync(BLKZEROOUT),
  };
}
