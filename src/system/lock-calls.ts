/**
 * Byte-range locks that belong to the open file (F_OFD_*), as qemu and nbdkit take them: they hold between processes
 * and between two opens in one process, and go when the last descriptor of the open file is closed. Beside them the lock on a
 * whole file (flock), as cryptsetup takes it: the two kinds do not see each other.
 */
import { PinnedBuffer } from './pinned-buffer.ts';
import type { RawCalls } from './raw-calls.ts';
import { putU64 } from './u64.ts';

const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
/** struct flock: type u16, whence u16, start at 8, length at 16, pid at 24 (0 for these commands) */
const FLOCK_BYTES = 32;

export interface LockRange {
  startBytes: number;
  /** 0 reaches to the end of the file, however far that grows. */
  lengthBytes: number;
}

export interface LockCalls {
  /**
   * Never waits: -EAGAIN when another open file holds it. A shared lock needs a readable descriptor, an exclusive one a
   * writable (-EBADF). A lock this open file already holds on the range is replaced.
   */
  lockRange(fd: number, range: LockRange & { exclusive: boolean }): number;
  unlockRange(fd: number, range: LockRange): number;
  /** Who would be in the way: 0 nobody, 1 another's shared lock, 2 another's exclusive lock. */
  testRange(fd: number, range: LockRange & { exclusive: boolean }): number;
  /** flock(2), never waits: -EAGAIN when another open file holds it. Goes with the last descriptor of the open file. */
  lockFile(fd: number, exclusive: boolean): number;
}

export function createLockCalls(raw: RawCalls): LockCalls {
  const flock = PinnedBuffer.allocate(FLOCK_BYTES);

  function call(fd: number, command: number, type: number, range: LockRange): number {
    flock.bytes.fill(0);
    flock.view.setUint16(0, type, true);
    putU64(flock.view, 8, range.startBytes);
    putU64(flock.view, 16, range.lengthBytes);
    return raw.fcntlStruct(fd, command, flock, FLOCK_BYTES);
  }

  return {
    lockRange: (fd, range) => call(fd, F_OFD_SETLK, range.exclusive ? F_WRLCK : F_RDLCK, range),
    unlockRange: (fd, range) => call(fd, F_OFD_SETLK, F_UNLCK, range),
    testRange(fd, range) {
      const result = call(fd, F_OFD_GETLK, range.exclusive ? F_WRLCK : F_RDLCK, range);
      if (result < 0) return result;
      const holder = flock.view.getUint16(0, true);
      if (holder === F_UNLCK) return 0;
      return holder === F_WRLCK ? 2 : 1;
    },
    lockFile: (fd, exclusive) => raw.flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB),
  };
}
