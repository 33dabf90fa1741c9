/** What every descriptor has: waiting, duplicates, modes, closing; and eventfd, a counter to wake another thread with. */
import { assert } from '../base/assert.ts';
import { Errno } from '../base/errors.ts';
import type { IoVector } from './io-vector.ts';
import { PinnedBuffer } from './pinned-buffer.ts';
import type { RawCalls } from './raw-calls.ts';
import { getU64, putU64 } from './u64.ts';

export const MAX_POLL_DESCRIPTORS = 8;

const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const O_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;
const POLLIN = 1;
const POLLOUT = 4;

export interface DescriptorCalls {
  /**
   * Bit i is set when descriptors[i] has something to read, has ended or is broken. 0 after `timeoutMs` (-1 waits
   * for ever), or earlier when a signal came. At most eight descriptors; the array may be reused.
   */
  waitReadable(descriptors: readonly number[], timeoutMs: number): number;
  /** 1 when `fd` takes bytes, has ended or is broken; 0 as above. */
  waitWritable(fd: number, timeoutMs: number): number;
  /** The next bytes of a pipe or a character device such as /dev/fuse; files have their own calls with a position. */
  read(fd: number, buffer: PinnedBuffer, offsetBytes: number, lengthBytes: number): number;
  write(fd: number, buffer: PinnedBuffer, offsetBytes: number, lengthBytes: number): number;
  writeVector(fd: number, vector: IoVector): number;
  /** A second descriptor for the same open file, closed on exec. */
  duplicate(fd: number): number;
  /** The mode belongs to the open file: every duplicate changes with it. */
  setBlocking(fd: number, blocking: boolean): number;
  close(fd: number): number;
  /** A counter: `eventAdd` adds, `eventTake` answers the sum and resets it, waiting while it is 0 unless `nonblocking`. */
  createEvent(options?: { nonblocking?: boolean }): number;
  eventAdd(fd: number, value: number): number;
  eventTake(fd: number): number;
}

export function createDescriptorCalls(raw: RawCalls): DescriptorCalls {
  /** struct pollfd: fd, events at 4, revents at 6 */
  const pollSet = PinnedBuffer.allocate(MAX_POLL_DESCRIPTORS * 8);
  const counter = PinnedBuffer.allocate(8);

  function putPoll(index: number, fd: number, events: number): void {
    assert((fd | 0) === fd && fd >= 0, 'a file descriptor is a whole number from 0');
    pollSet.view.setInt32(index * 8, fd, true);
    pollSet.view.setUint32(index * 8 + 4, events, true);
  }

  function poll(count: number, timeoutMs: number): number {
    assert(
      (timeoutMs | 0) === timeoutMs && timeoutMs >= -1,
      'a poll timeout is whole milliseconds or -1',
    );
    let result: number;
    do result = raw.poll(pollSet, count, timeoutMs);
    while (result === -Errno.EINTR && timeoutMs === -1);
    if (result === -Errno.EINTR) return 0;
    if (result <= 0) return result;
    let ready = 0;
    for (let index = 0; index < count; index++) {
      if (pollSet.view.getUint16(index * 8 + 6, true) !== 0) ready |= 1 << index;
    }
    return ready;
  }

  return {
    waitReadable(descriptors, timeoutMs) {
      const count = descriptors.length;
      assert(count <= MAX_POLL_DESCRIPTORS, 'at most eight descriptors are polled at once');
      for (let index = 0; index < count; index++) putPoll(index, descriptors[index]!, POLLIN);
      return poll(count, timeoutMs);
    },
    waitWritable(fd, timeoutMs) {
      putPoll(0, fd, POLLOUT);
      return poll(1, timeoutMs);
    },
    read: (fd, buffer, offsetBytes, lengthBytes) => raw.read(fd, buffer, offsetBytes, lengthBytes),
    write: (fd, buffer, offsetBytes, lengthBytes) =>
      raw.write(fd, buffer, offsetBytes, lengthBytes),
    writeVector: (fd, vector) => raw.writev(fd, vector),
    duplicate: (fd) => raw.fcntl(fd, F_DUPFD_CLOEXEC, 0),
    setBlocking(fd, blocking) {
      const flags = raw.fcntl(fd, F_GETFL, 0);
      if (flags < 0) return flags;
      return raw.fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
    },
    close: (fd) => raw.close(fd),
    createEvent: (options) =>
      raw.eventfd(0, options?.nonblocking ? EFD_CLOEXEC | O_NONBLOCK : EFD_CLOEXEC),
    eventAdd(fd, value) {
      assert((value | 0) === value && value > 0, 'an event counter grows by a positive int32');
      putU64(counter.view, 0, value);
      const result = raw.write(fd, counter, 0, 8);
      return Math.min(result, 0);
    },
    eventTake(fd) {
      const result = raw.read(fd, counter, 0, 8);
      return result < 0 ? result : getU64(counter.view, 0);
    },
  };
}
