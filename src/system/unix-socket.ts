/** A Unix socket's place in the file system: who may reach it, and what an earlier server left there. */

import { lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { DmError, Errno, type ErrnoName, errnoName, errnoOf } from '../base/errors.ts';

/** sockaddr_un has 108 bytes with the final NUL. */
const PATH_BYTES = 107;

/** Makes the folder (for its owner alone) and removes the socket of a server that is gone. Throws DmError. */
export async function prepareUnixSocket(path: string): Promise<void> {
  const lengthBytes = Buffer.byteLength(path);
  if (lengthBytes > PATH_BYTES) {
    const limit = `a Unix socket's path has at most ${PATH_BYTES} bytes, got ${lengthBytes}`;
    throw new DmError('EINVAL', `Cannot listen on ${path}: ${limit}`);
  }
  await withPath(path, async () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return;
    if (!found.isSocket()) {
      throw new DmError(
        'EEXIST',
        `Cannot listen on ${path}: something else than a socket is there`,
      );
    }
    if (await somebodyAnswers(path)) {
      throw new DmError('EBUSY', `Cannot listen on ${path}: another server answers there`);
    }
    unlinkSync(path);
  });
}

/** Runs `listen`, which creates the socket before it returns, such that only the owner can connect. */
export function withPrivateMode(listen: () => void): void {
  // The mask is the process's: a thread can neither set it nor know that nobody else creates files now.
  if (!isMainThread) {
    listen();
    return;
  }
  const before = process.umask(0o177);
  try {
    listen();
  } finally {
    process.umask(before);
  }
}

async function withPath(path: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (error instanceof DmError) throw error;
    throw listenError(path, error);
  }
}

/** What is wrong with an address, as a DmError. */
export function listenError(address: string, error: unknown): DmError {
  const nodeCode = (error as { code?: unknown }).code;
  const inUse = nodeCode === 'EADDRINUSE';
  const errno = inUse ? Errno.EBUSY : errnoOf(error);
  const reason = inUse ? 'the address is in use' : String(nodeCode ?? error);
  const message = `Cannot listen on ${address}: ${reason}`;
  return new DmError(errnoName(errno) as ErrnoName, message, { cause: error });
}

export function somebodyAnswers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      // A full backlog is an answer too.
      else if (error.code === 'EAGAIN') resolve(true);
      else reject(error);
    });
  });
}
