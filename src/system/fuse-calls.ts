/** What serving a FUSE mount needs beyond read(2) and write(2): the descriptor that fusermount3 sends, and clones of it. */
import { Errno } from '../base/errors.ts';
import { PinnedBuffer } from './pinned-buffer.ts';
import type { RawCalls } from './raw-calls.ts';

/** FUSE_DEV_IOC_CLONE: _IOR(229, 0, uint32_t) */
const FUSE_DEV_IOC_CLONE = 0x8004e500;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT_CLOEXEC = 0x40000040;
/** struct cmsghdr: length u64, level at 8, type at 12; then the descriptor. */
const CONTROL_BYTES = 24;

export interface FuseCalls {
  /** Makes `fd`, a fresh open of /dev/fuse, a second queue of the mount that `mountFd` serves. */
  clone(fd: number, mountFd: number): number;
  /** The descriptor that was sent over a Unix socket (SCM_RIGHTS), closed on exec. -EAGAIN when nothing was sent. */
  receiveDescriptor(socketFd: number): number;
}

export function createFuseCalls(raw: RawCalls): FuseCalls {
  const word = PinnedBuffer.allocate(4);
  const control = PinnedBuffer.allocate(CONTROL_BYTES);

  return {
    clone(fd, mountFd) {
      word.view.setUint32(0, mountFd, true);
      return raw.ioctl(fd, FUSE_DEV_IOC_CLONE, word, 4);
    },
    receiveDescriptor(socketFd) {
      const result = raw.recvmsgControl(socketFd, control, MSG_DONTWAIT_CLOEXEC);
      if (result < 0) return result;
      const { view } = control;
      const isDescriptor =
        result >= 20 &&
        view.getInt32(8, true) === SOL_SOCKET &&
        view.getInt32(12, true) === SCM_RIGHTS;
      return isDescriptor ? view.getInt32(16, true) : -Errno.EIO;
    },
  };
}
