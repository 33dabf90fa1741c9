/** Sockets, blocking or not. Every call answers a count >= 0 or a negative errno; 0 from `recv` is the end of the stream. */
import type { IoVector } from './io-vector.ts';
import { PinnedBuffer } from './pinned-buffer.ts';
import type { RawCalls } from './raw-calls.ts';

/** Or them together. Sends always carry MSG_NOSIGNAL: a peer that has gone is -EPIPE, not a signal. */
export const MessageFlag = {
  none: 0,
  /** Look without taking. */
  peek: 0x2,
  /** -EAGAIN instead of waiting, for this call only. */
  dontWait: 0x40,
  /** Wait for the whole length; still short at the end of the stream. */
  waitAll: 0x100,
  /** More follows at once: TCP holds back a partial segment. */
  more: 0x8000,
} as const;

const MSG_NOSIGNAL = 0x4000;
const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0x80001;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_PEERCRED = 17;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SIOCOUTQ = 0x5411;
const SHUT = { read: 0, write: 1, both: 2 } as const;

export interface SocketCalls {
  /** A worker that waits here cannot be terminated: `shutdown` the socket from another thread first. */
  recv(
    fd: number,
    buffer: PinnedBuffer,
    offsetBytes: number,
    lengthBytes: number,
    flags: number,
  ): number;
  /** May send less than asked for when the socket does not block. */
  send(
    fd: number,
    buffer: PinnedBuffer,
    offsetBytes: number,
    lengthBytes: number,
    flags: number,
  ): number;
  /** One message of all pieces. After a short count: `vector.consume(count)` and again. */
  sendVector(fd: number, vector: IoVector, flags: number): number;
  /** From the page cache of `inFd` straight into the socket; up to 2 GiB a call, short at the end of the file. */
  sendFile(outFd: number, inFd: number, positionBytes: number, lengthBytes: number): number;
  /** Also wakes another thread that is blocked in `recv` or `send` on it. */
  shutdown(fd: number, how: keyof typeof SHUT): number;
  /** The kernel doubles the size and caps it at net.core.wmem_max. */
  setSendBuffer(fd: number, sizeBytes: number): number;
  /** The kernel doubles the size and caps it at net.core.rmem_max. */
  setReceiveBuffer(fd: number, sizeBytes: number): number;
  /** -ENOTSUP on a Unix socket, which never delays. */
  setNoDelay(fd: number, enabled: boolean): number;
  /** The user on the other side of a Unix socket, as it was on connect. */
  peerUid(fd: number): number;
  /** What the other side has not taken of what was sent: not read, or not acknowledged over TCP. For asking whether it is 0. */
  unreadBytes(fd: number): number;
  /** Two connected Unix stream sockets, or a negative errno. */
  createPair(): [number, number] | number;
}

export function createSocketCalls(raw: RawCalls): SocketCalls {
  const scratch = PinnedBuffer.allocate(16);

  function setOption(fd: number, level: number, name: number, value: number): number {
    scratch.view.setInt32(0, value, true);
    return raw.setsockopt(fd, level, name, scratch, 4);
  }

  return {
    recv: (fd, buffer, offsetBytes, lengthBytes, flags) =>
      raw.recv(fd, buffer, offsetBytes, lengthBytes, flags),
    send: (fd, buffer, offsetBytes, lengthBytes, flags) =>
      raw.send(fd, buffer, offsetBytes, lengthBytes, flags | MSG_NOSIGNAL),
    sendVector: (fd, vector, flags) => raw.sendmsg(fd, vector, flags | MSG_NOSIGNAL),
    sendFile: (outFd, inFd, positionBytes, lengthBytes) =>
      raw.sendfile(outFd, inFd, positionBytes, lengthBytes),
    shutdown: (fd, how) => raw.shutdown(fd, SHUT[how]),
    setSendBuffer: (fd, sizeBytes) => setOption(fd, SOL_SOCKET, SO_SNDBUF, sizeBytes),
    setReceiveBuffer: (fd, sizeBytes) => setOption(fd, SOL_SOCKET, SO_RCVBUF, sizeBytes),
    setNoDelay: (fd, enabled) => setOption(fd, IPPROTO_TCP, TCP_NODELAY, enabled ? 1 : 0),
    peerUid(fd) {
      // struct ucred: pid, uid at 4, gid
      const result = raw.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, scratch, 12);
      return result < 0 ? result : scratch.view.getUint32(4, true);
    },
    unreadBytes(fd) {
      const result = raw.ioctl(fd, SIOCOUTQ, scratch, 4);
      return result < 0 ? result : scratch.view.getInt32(0, true);
    },
    createPair() {
      const result = raw.socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, scratch);
      if (result < 0) return result;
      return [scratch.view.getInt32(0, true), scratch.view.getInt32(4, true)];
    },
  };
}
