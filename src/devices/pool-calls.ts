/** The calls of `node:fs` that run on libuv's thread pool, as devices use them; a test puts slow or failing ones in their place. */

import { fdatasync, fdatasyncSync, read, readv, write, writev } from 'node:fs';

export type CallDone = (error: Error | null, count: number) => void;

export interface PoolCalls {
  read(fd: number, memory: Uint8Array, length: number, positionBytes: number, done: CallDone): void;
  write(
    fd: number,
    memory: Uint8Array,
    length: number,
    positionBytes: number,
    done: CallDone,
  ): void;
  readVector(fd: number, pieces: Uint8Array[], positionBytes: number, done: CallDone): void;
  writeVector(fd: number, pieces: Uint8Array[], positionBytes: number, done: CallDone): void;
  syncData(fd: number, done: (error: Error | null) => void): void;
  /** On this thread, for files that lie in memory: the way to another thread and back is all that takes time there. */
  syncDataNow?(fd: number): void;
}

export const nodePoolCalls: PoolCalls = {
  read: (fd, memory, length, positionBytes, done) =>
    read(fd, memory, 0, length, positionBytes, done),
  write: (fd, memory, length, positionBytes, done) =>
    write(fd, memory, 0, length, positionBytes, done),
  readVector: readv,
  writeVector: writev,
  syncData: fdatasync,
  syncDataNow: fdatasyncSync,
};
