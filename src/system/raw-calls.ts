/**
 * libc through koffi, with descriptor, offset and length checked before every call; besides raw-cipher-calls.ts the only file that sees an address.
 *
 * Every method answers a count >= 0 or a negative errno, throws AssertionError for our own bugs and allocates nothing.
 * A call that a signal interrupted is made again. Struct layouts are those of x86_64 and arm64, which agree here
 * (little endian, 64-bit longs); index.ts refuses other machines.
 */
import { assert } from '../base/assert.ts';
import { Errno } from '../base/errors.ts';
import { Addresses, checkCount, checkSpan } from './addresses.ts';
import { AsyncQueue } from './async-queue.ts';
import { type IoVector, MAX_VECTOR_PIECES } from './io-vector.ts';
import { declareNatives, type Koffi, type Native, type Natives } from './natives.ts';
import { PinnedBuffer } from './pinned-buffer.ts';
import { putU64 } from './u64.ts';

const IOVEC_BYTES = 16;
/** struct msghdr: name, namelen, iov at 16, iovlen at 24, control, controllen, flags */
const MSGHDR_BYTES = 56;
/** struct statfs */
const STATFS_BYTES = 120;

function checkFd(fd: number): void {
  assert((fd | 0) === fd && fd >= 0, 'a file descriptor is a whole number from 0');
}

export class RawCalls {
  readonly #errno: () => number;
  readonly #libc: Natives;
  readonly #addresses: Addresses;
  readonly #iovecs = PinnedBuffer.allocate(MAX_VECTOR_PIECES * IOVEC_BYTES);
  readonly #msghdr = PinnedBuffer.allocate(MSGHDR_BYTES);
  /** An off_t for sendfile or a socklen_t for getsockopt. */
  readonly #word = PinnedBuffer.allocate(8);
  readonly #async = new AsyncQueue((result) => this.#settle(result));

  constructor(koffi: Koffi) {
    this.#addresses = new Addresses(koffi);
    this.#errno = koffi.errno;
    this.#libc = declareNatives(koffi);
  }

  close(fd: number): number {
    checkFd(fd);
    return this.#settle(this.#libc.close(fd));
  }

  shutdown(fd: number, how: number): number {
    checkFd(fd);
    return this.#settle(this.#libc.shutdown(fd, how));
  }

  eventfd(initial: number, flags: number): number {
    return this.#settle(this.#libc.eventfd(initial, flags));
  }

  /** Fills `buffer` with the two descriptors. */
  socketpair(domain: number, type: number, buffer: PinnedBuffer): number {
    checkSpan(buffer, 0, 8);
    return this.#settle(this.#libc.socketpair(domain, type, 0, this.#addressOf(buffer)));
  }

  /** A command whose argument is a number. */
  fcntl(fd: number, command: number, argument: number): number {
    checkFd(fd);
    checkCount(argument);
    return this.#settle(this.#libc.fcntl(fd, command, argument));
  }

  /** A command whose argument is a structure of `lengthBytes`. */
  fcntlStruct(fd: number, command: number, buffer: PinnedBuffer, lengthBytes: number): number {
    checkFd(fd);
    checkSpan(buffer, 0, lengthBytes);
    return this.#settle(this.#libc.fcntl(fd, command, this.#addressOf(buffer)));
  }

  flock(fd: number, operation: number): number {
    checkFd(fd);
    checkCount(operation);
    return this.#settle(this.#libc.flock(fd, operation));
  }

  ioctl(fd: number, request: number, buffer: PinnedBuffer, lengthBytes: number): number {
    checkFd(fd);
    checkSpan(buffer, 0, lengthBytes);
    return this.#settle(this.#libc.ioctl(fd, request, this.#addressOf(buffer)));
  }

  async ioctlAsync(
    fd: number,
    request: number,
    buffer: PinnedBuffer,
    lengthBytes: number,
  ): Promise<number> {
    checkFd(fd);
    checkSpan(buffer, 0, lengthBytes);
    const address = this.#addressOf(buffer);
    return this.#async.run((done) => this.#libc.ioctl.async(fd, request, address, done), buffer);
  }

  /** Soft and hard limit, 64 bits each. */
  setrlimit(resource: number, buffer: PinnedBuffer): number {
    checkCount(resource);
    checkSpan(buffer, 0, 16);
    return this.#settle(this.#libc.setrlimit(resource, this.#addressOf(buffer)));
  }

  fstatfs(fd: number, buffer: PinnedBuffer): number {
    checkFd(fd);
    checkSpan(buffer, 0, STATFS_BYTES);
    return this.#settle(this.#libc.fstatfs(fd, this.#addressOf(buffer)));
  }

  setsockopt(
    fd: number,
    level: number,
    name: number,
    buffer: PinnedBuffer,
    lengthBytes: number,
  ): number {
    checkFd(fd);
    checkSpan(buffer, 0, lengthBytes);
    const address = this.#addressOf(buffer);
    return this.#settle(this.#libc.setsockopt(fd, level, name, address, lengthBytes));
  }

  getsockopt(
    fd: number,
    level: number,
    name: number,
    buffer: PinnedBuffer,
    lengthBytes: number,
  ): number {
    checkFd(fd);
    checkSpan(buffer, 0, lengthBytes);
    this.#word.view.setUint32(0, lengthBytes, true);
    const lengthAddress = this.#addressOf(this.#word);
    const address = this.#addressOf(buffer);
    return this.#settle(this.#libc.getsockopt(fd, level, name, address, lengthAddress));
  }

  recv(
    fd: number,
    buffer: PinnedBuffer,
    offsetBytes: number,
    lengthBytes: number,
    flags: number,
  ): number {
    return this.#transfer(this.#libc.recv, fd, buffer, offsetBytes, lengthBytes, flags);
  }

  send(
    fd: number,
    buffer: PinnedBuffer,
    offsetBytes: number,
    lengthBytes: number,
    flags: number,
  ): number {
    return this.#transfer(this.#libc.send, fd, buffer, offsetBytes, lengthBytes, flags);
  }

  read(fd: number, buffer: PinnedBuffer, offsetBytes: number, lengthBytes: number): number {
    return this.#transferNext(this.#libc.read, fd, buffer, offsetBytes, lengthBytes);
  }

  write(fd: number, buffer: PinnedBuffer, offsetBytes: number, lengthBytes: number): number {
    return this.#transferNext(this.#libc.write, fd, buffer, offsetBytes, lengthBytes);
  }

  writev(fd: number, vector: IoVector): number {
    checkFd(fd);
    const pieceCount = this.#storeVector(vector);
    const address = this.#addressOf(this.#iovecs);
    let result: number;
    do result = this.#settle(this.#libc.writev(fd, address, pieceCount));
    while (result === -Errno.EINTR);
    return result;
  }

  sendmsg(fd: number, vector: IoVector, flags: number): number {
    checkFd(fd);
    const pieceCount = this.#storeVector(vector);
    putU64(this.#msghdr.view, 16, this.#addressOf(this.#iovecs));
    putU64(this.#msghdr.view, 24, pieceCount);
    const address = this.#addressOf(this.#msghdr);
    let result: number;
    do result = this.#settle(this.#libc.sendmsg(fd, address, flags));
    while (result === -Errno.EINTR);
    return result;
  }

  /**
   * One byte and what comes with it, into `control`; answers how much of that was filled (msg_controllen), -ENOTCONN when
   * the other side has closed.
   */
  recvmsgControl(fd: number, control: PinnedBuffer, flags: number): number {
    checkFd(fd);
    const { view } = this.#msghdr;
    this.#msghdr.bytes.fill(0);
    putU64(this.#iovecs.view, 0, this.#addressOf(this.#word));
    putU64(this.#iovecs.view, 8, 1);
    putU64(view, 16, this.#addressOf(this.#iovecs));
    putU64(view, 24, 1);
    putU64(view, 32, this.#addressOf(control));
    putU64(view, 40, control.lengthBytes);
    const result = this.#settle(this.#libc.recvmsg(fd, this.#addressOf(this.#msghdr), flags));
    if (result < 0) return result;
    const filledBytes = view.getUint32(40, true);
    putU64(view, 32, 0);
    putU64(view, 40, 0);
    return result === 0 && filledBytes === 0 ? -Errno.ENOTCONN : filledBytes;
  }

  sendfile(outFd: number, inFd: number, positionBytes: number, lengthBytes: number): number {
    checkFd(outFd);
    checkFd(inFd);
    checkCount(positionBytes);
    checkCount(lengthBytes);
    const address = this.#addressOf(this.#word);
    let result: number;
    do {
      putU64(this.#word.view, 0, positionBytes);
      result = this.#settle(this.#libc.sendfile(outFd, inFd, address, lengthBytes));
    } while (result === -Errno.EINTR);
    return result;
  }

  /** `buffer` starts with `count` struct pollfd of 8 bytes each. EINTR is the caller's: only it knows the time left. */
  poll(buffer: PinnedBuffer, count: number, timeoutMs: number): number {
    checkSpan(buffer, 0, count * 8);
    return this.#settle(this.#libc.poll(this.#addressOf(buffer), count, timeoutMs));
  }

  pread(
    fd: number,
    buffer: PinnedBuffer,
    offsetBytes: number,
    lengthBytes: number,
    positionBytes: number,
  ): number {
    checkCount(positionBytes);
    return this.#transfer(this.#libc.pread, fd, buffer, offsetBytes, lengthBytes, positionBytes);
  }

  pwrite(
    fd: number,
    buffer: PinnedBuffer,
    offsetBytes: number,
    lengthBytes: number,
    positionBytes: number,
  ): number {
    checkCount(positionBytes);
    return this.#transfer(this.#libc.pwrite, fd, buffer, offsetBytes, lengthBytes, positionBytes);
  }

  preadv2(fd: number, vector: IoVector, positionBytes: number, flags: number): number {
    return this.#transferVector(this.#libc.preadv2, fd, vector, positionBytes, flags);
  }

  pwritev2(fd: number, vector: IoVector, positionBytes: number, flags: number): number {
    return this.#transferVector(this.#libc.pwritev2, fd, vector, positionBytes, flags);
  }

  fdatasync(fd: number): number {
    checkFd(fd);
    return this.#settle(this.#libc.fdatasync(fd));
  }

  fallocate(fd: number, mode: number, positionBytes: number, lengthBytes: number): number {
    checkFd(fd);
    checkCount(positionBytes);
    checkCount(lengthBytes);
    let result: number;
    do result = this.#settle(this.#libc.fallocate(fd, mode, positionBytes, lengthBytes));
    while (result === -Errno.EINTR);
    return result;
  }

  async fallocateAsync(
    fd: number,
    mode: number,
    positionBytes: number,
    lengthBytes: number,
  ): Promise<number> {
    checkFd(fd);
    checkCount(positionBytes);
    checkCount(lengthBytes);
    const { fallocate } = this.#libc;
    return this.#async.run(
      (done) => fallocate.async(fd, mode, positionBytes, lengthBytes, done),
      null,
    );
  }

  lseek(fd: number, positionBytes: number, whence: number): number {
    checkFd(fd);
    checkCount(positionBytes);
    return this.#settle(this.#libc.lseek(fd, positionBytes, whence));
  }

  async lseekAsync(fd: number, positionBytes: number, whence: number): Promise<number> {
    checkFd(fd);
    checkCount(positionBytes);
    return this.#async.run((done) => this.#libc.lseek.async(fd, positionBytes, whence, done), null);
  }

  /** `last` is what the four calls of this shape differ in: message flags or a file position. */
  #transfer(
    native: Native,
    fd: number,
    buffer: PinnedBuffer,
    offsetBytes: number,
    lengthBytes: number,
    last: number,
  ): number {
    checkFd(fd);
    checkSpan(buffer, offsetBytes, lengthBytes);
    const address = this.#addressOf(buffer) + offsetBytes;
    let result: number;
    do result = this.#settle(native(fd, address, lengthBytes, last));
    while (result === -Errno.EINTR);
    return result;
  }

  /** At the descriptor's own position, if it has one. */
  #transferNext(
    native: Native,
    fd: number,
    buffer: PinnedBuffer,
    offsetBytes: number,
    lengthBytes: number,
  ): number {
    checkFd(fd);
    checkSpan(buffer, offsetBytes, lengthBytes);
    const address = this.#addressOf(buffer) + offsetBytes;
    let result: number;
    do result = this.#settle(native(fd, address, lengthBytes));
    while (result === -Errno.EINTR);
    return result;
  }

  #transferVector(
    native: Native,
    fd: number,
    vector: IoVector,
    positionBytes: number,
    flags: number,
  ): number {
    checkFd(fd);
    checkCount(positionBytes);
    const pieceCount = this.#storeVector(vector);
    const address = this.#addressOf(this.#iovecs);
    let result: number;
    do result = this.#settle(native(fd, address, pieceCount, positionBytes, flags));
    while (result === -Errno.EINTR);
    return result;
  }

  /** Writes the pieces as struct iovec now, not when they were appended: so the check is of the memory as it is. */
  #storeVector(vector: IoVector): number {
    const { view } = this.#iovecs;
    let at = 0;
    for (let index = vector.first; index < vector.end; index++) {
      const buffer = vector.buffers[index]!;
      const offsetBytes = vector.offsets[index]!;
      const lengthBytes = vector.lengths[index]!;
      checkSpan(buffer, offsetBytes, lengthBytes);
      putU64(view, at, this.#addressOf(buffer) + offsetBytes);
      putU64(view, at + 8, lengthBytes);
      at += IOVEC_BYTES;
    }
    return vector.end - vector.first;
  }

  #addressOf(buffer: PinnedBuffer): number {
    return this.#addresses.of(buffer);
  }

  /** A failed call whose errno got lost must not look like success. */
  #settle(result: number): number {
    return result < 0 ? -(this.#errno() || Errno.EIO) : result;
  }
}
