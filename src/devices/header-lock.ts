/**
 * The lock on a header, as cryptsetup takes it: shared to read one, exclusive to write one. flock(2) on the file itself, and for a
 * block node on /run/cryptsetup/L_<major>:<minor>; on the node itself where that folder is not ours to write.
 *
 * It says nothing about the data: a mapped volume holds the image's lock (image-lock.ts) and not this one, so that its key slots
 * can be changed while it is in use.
 */

import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { sleep } from '../base/clock.ts';
import { DmError, Errno } from '../base/errors.ts';
import type { LockCalls } from '../system/lock-calls.ts';
import { deviceNumberOf } from './node-number.ts';

const FOLDER = '/run/cryptsetup';
/** Others hold it while they derive a key: seconds. */
const WAIT_MS = 15_000;
const RETRY_MS = 50;

export interface HeaderLock {
  release(): void;
}

export interface HeaderLockOptions {
  fd: number;
  path: string;
  exclusive: boolean;
  clock: Clock;
  folder?: string;
  waitMs?: number;
}

/** Waits a while for whoever has it, then throws EBUSY. */
export async function lockHeader(
  locks: LockCalls,
  options: HeaderLockOptions,
): Promise<HeaderLock> {
  const { clock, path, waitMs = WAIT_MS } = options;
  const deadlineMs = clock.nowMs() + waitMs;
  for (;;) {
    const lock = tryLock(locks, options);
    if (lock) return lock;
    if (clock.nowMs() >= deadlineMs) {
      throw new DmError(
        'EBUSY',
        `Cannot lock the header of "${path}": another program is changing it`,
      );
    }
    await sleep(clock, RETRY_MS);
  }
}

function tryLock(locks: LockCalls, options: HeaderLockOptions): HeaderLock | null {
  const { rdev } = fstatSync(options.fd);
  const resource = rdev === 0 ? null : openResource(options.folder ?? FOLDER, rdev);
  const result = locks.lockFile(resource?.fd ?? options.fd, options.exclusive);
  const isTaken = result === -Errno.EAGAIN;
  if (!isTaken && (!resource || isStillAt(resource))) return { release: () => release(resource) };
  // The last holder deletes the file: a lock on a deleted one excludes nobody.
  if (resource) closeSync(resource.fd);
  return null;

  function release(held: Resource | null): void {
    if (!held) return; // closing the file gives the lock back
    // Somebody may have tidied up the folder meanwhile, and somebody else have a file of that name now.
    if (options.exclusive && isStillAt(held)) unlinkSync(held.path);
    closeSync(held.fd);
  }
}

interface Resource {
  fd: number;
  path: string;
}

/** null: not for us to write. */
function openResource(folder: string, rdev: number): Resource | null {
  const { major, minor } = deviceNumberOf(rdev);
  const path = `${folder}/L_${major}:${minor}`;
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return { fd: openSync(path, flags, 0o600), path };
  } catch {
    return null; // no root, no /run: the node has to do
  }
}

function isStillAt({ fd, path }: Resource): boolean {
  const now = statSync(path, { throwIfNoEntry: false });
  return now?.ino === fstatSync(fd).ino;
}
