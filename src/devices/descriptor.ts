/** The open file behind a file or block node: opening in words a person understands, locks, upgrade, closing. */

import { close, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { DmError, Errno, type ErrnoName, errnoOf } from '../base/errors.ts';
import type { LockCalls } from '../system/lock-calls.ts';
import { lockImage, unlockImage } from './image-lock.ts';

export interface DescriptorOptions {
  path: string;
  readOnly: boolean;
  /** null: without locks. */
  locks: LockCalls | null;
  /** Throws DmError for what may be opened for writing and yet not be written. */
  checkWritable?(fd: number): void;
}

export class Descriptor {
  readonly path: string;
  readonly #locks: LockCalls | null;
  readonly #checkWritable: ((fd: number) => void) | undefined;
  /** All that were ever opened: an older one may be in use, here or in a worker, until the device closes. */
  readonly #opened: number[] = [];
  #fd: number;
  #writable: boolean;

  /** Throws DmError. */
  constructor(options: DescriptorOptions) {
    this.path = options.path;
    this.#locks = options.locks;
    this.#checkWritable = options.checkWritable;
    this.#writable = !options.readOnly;
    this.#fd = this.#open(this.#writable);
  }

  get fd(): number {
    return this.#fd;
  }

  get writable(): boolean {
    return this.#writable;
  }

  /** Opens it again, for writing; throws DmError and leaves all as it was when that cannot be. */
  upgrade(): void {
    const old = this.#fd;
    // Our own lock would be in the way of the new one: both count as different openers.
    if (this.#locks) unlockImage(this.#locks, old);
    try {
      this.#fd = this.#open(true, old);
      this.#writable = true;
    } finally {
      if (this.#fd === old && this.#locks) {
        lockImage(this.#locks, { fd: old, path: this.path, writable: false });
      }
    }
  }

  /** `same`: a descriptor of the file that must still be at the path. */
  #open(writable: boolean, same?: number): number {
    // O_NONBLOCK means nothing to files and disks, and keeps a FIFO that took the file's place from stopping us.
    const mode = writable ? constants.O_RDWR : constants.O_RDONLY;
    const fd = attempt(this.path, writable, () => openSync(this.path, mode | constants.O_NONBLOCK));
    try {
      if (same !== undefined) this.#checkSame(fd, same);
      if (writable) this.#checkWritable?.(fd);
      if (this.#locks) lockImage(this.#locks, { fd, path: this.path, writable });
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#opened.push(fd);
    return fd;
  }

  /** A link may lead elsewhere by now, a file may have been replaced: its writes would land in a stranger. */
  #checkSame(fd: number, old: number): void {
    const [now, before] = [fstatSync(fd, { bigint: true }), fstatSync(old, { bigint: true })];
    if (now.dev === before.dev && now.ino === before.ino && now.rdev === before.rdev) return;
    throw new DmError(
      'EBUSY',
      `Cannot open "${this.path}" for writing: it is in use read-only, and another file stands at its path by now`,
    );
  }

  /** Before `close`: another open need not wait for that. */
  unlock(): void {
    if (this.#locks) unlockImage(this.#locks, this.#fd);
  }

  /** What nobody wrote through is closed in no time, and its locks go with it. */
  closeClean(): void {
    for (const fd of this.#opened.splice(0)) closeSync(fd);
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map(closeQuietly));
  }
}

/** An error of close(2) says nothing about data that a flush did not say before. */
function closeQuietly(fd: number): Promise<void> {
  return new Promise((resolve) => {
    close(fd, () => resolve());
  });
}

/** Does something with `path`, whose failure is told in words. */
export function attempt<T>(path: string, writable: boolean, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const purpose = writable ? ' for writing' : '';
    const reason = reasonOf(error);
    throw new DmError(codeOf(error), `Cannot open "${path}"${purpose}: ${reason}`, {
      cause: error,
    });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file; create an image with "truncate -s 1G FILE"',
  ENOTDIR: 'a part of the path is not a directory',
  EACCES: 'permission denied by its mode or owner, or by a disk that is read-only',
  EPERM: 'not permitted; the file may be immutable (lsattr shows it)',
  EROFS: 'its file system or disk is read-only; load the table read-only',
  EISDIR: 'it is a directory, expected an image file or a block device',
  EMFILE: 'too many open files in this process; raise "ulimit -n"',
  ENXIO: 'no device is behind this node',
  EBUSY: 'something else uses it exclusively (a mounted file system, say)',
  ENOSPC: 'no space is left',
};

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return REASONS[code] ?? (error as Error).message;
}

function codeOf(error: unknown): ErrnoName {
  const number = errnoOf(error);
  const name = Object.keys(Errno).find((key) => Errno[key as ErrnoName] === number);
  return (name as ErrnoName | undefined) ?? 'EIO';
}
