/** One daemon for each state folder: a lock that ends with the process, however it ends. */

import {
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { DmError, Errno } from '../base/errors.ts';
import { loadSystem } from '../system/index.ts';

export interface InstanceLock {
  release(): void;
}

/** The paths whose locks this process holds: where there are no locks, its own process id in the file proves nothing. */
const held = new Set<string>();

/** Null: another process has it. The file keeps the owner's process id, for people and for `holder`. */
export function tryLock(path: string): InstanceLock | null {
  if (held.has(path)) return null;
  // Never deleted: whoever waits for a deleted file's lock would get one that nobody else sees.
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    if (!isFree(fd, path)) {
      closeSync(fd);
      return null;
    }
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  held.add(path);
  return {
    release: () => {
      held.delete(path);
      ftruncateSync(fd);
      closeSync(fd);
    },
  };
}

/** Whether a daemon lives in the folder of this lock. */
export function isLocked(path: string): boolean {
  const lock = existsSync(path) ? tryLock(path) : null;
  lock?.release();
  return lock === null && existsSync(path);
}

/** The process id that the last owner wrote; null when it ended in order. */
export function holder(path: string): number | null {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function isFree(fd: number, path: string): boolean {
  const system = loadSystem();
  if (system === null) return !isAlive(holder(path));
  const result = system.locks.lockRange(fd, { startBytes: 0, lengthBytes: 0, exclusive: true });
  if (result === -Errno.EAGAIN || result === -Errno.EACCES) return false;
  // A file system without locks: the process id has to do.
  if (result < 0) return !isAlive(holder(path));
  return true;
}

/** Without locks: two that start in the same instant may both believe that they are alone. */
function isAlive(pid: number | null): boolean {
  if (pid === null || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export function runningError(path: string, folder: string): DmError {
  const pid = holder(path);
  const who = pid === null ? 'another daemon' : `the daemon with process id ${pid}`;
  return new DmError('EBUSY', `Cannot start a daemon in ${folder}: ${who} runs there`);
}
