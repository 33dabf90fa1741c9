/** The daemon's log: JSON lines through pino. Nothing that may be a key gets in: see `withoutKeys`. */

import { copyFileSync, fstatSync, ftruncateSync, renameSync, statSync } from 'node:fs';
import { type Logger, pino } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type Log = Pick<Logger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

const KEPT_BYTES = 8 * 1024 * 1024;

/**
 * Writes at once, so that nothing is lost in a crash; a reader that went away ends nothing. `path`: when `fd` is that file, it is
 * set aside as soon as it has grown large, however long the daemon lives.
 */
export function createLog(options: { level: LogLevel; fd: number; path?: string }): Log {
  const { level, fd, path } = options;
  const destination = pino.destination({ dest: fd, sync: true });
  destination.on('error', () => undefined);
  const keeper = path === undefined ? null : new SizeKeeper(fd, path);
  const stream = {
    write(line: string) {
      destination.write(withoutKeys(line));
      keeper?.wrote(line.length);
    },
  };
  return pino({ level, base: { pid: process.pid } }, stream);
}

const CHECKED_BYTES = 256 * 1024;

/** The log of a daemon in the background is shared with whatever writes to its standard error, so it is emptied, not replaced. */
class SizeKeeper {
  readonly #fd: number;
  readonly #path: string;
  #uncheckedBytes = 0;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  wrote(lengthBytes: number): void {
    this.#uncheckedBytes += lengthBytes;
    if (this.#uncheckedBytes < CHECKED_BYTES) return;
    this.#uncheckedBytes = 0;
    try {
      this.#check();
    } catch {
      // A full disk, a folder that is gone: the log is the last thing to end a daemon for.
    }
  }

  #check(): void {
    const [open, named] = [fstatSync(this.#fd), statSync(this.#path)];
    const isOurs = open.dev === named.dev && open.ino === named.ino;
    if (!isOurs || open.size <= KEPT_BYTES) return;
    copyFileSync(this.#path, `${this.#path}.1`);
    ftruncateSync(this.#fd);
  }
}

/** Sets a log that has grown large aside, before a new daemon appends to it. */
export function rotateLog(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() && found.size > KEPT_BYTES) renameSync(path, `${path}.1`);
}

/** Reasons quote words of tables and messages, and of those a long run of hexadecimal digits can only be a key. */
export function withoutKeys(reason: string): string {
  return reason.replaceAll(/[0-9a-fA-F]{32,}/g, (digits) => `<${digits.length} hex digits>`);
}

const SHOWN_REASON_LENGTH = 1000;

/** Words for the log: clients choose how much of a reason is theirs. */
export function shortened(reason: string): string {
  if (reason.length <= SHOWN_REASON_LENGTH) return reason;
  return `${reason.slice(0, SHOWN_REASON_LENGTH)}... (${reason.length} characters)`;
}
