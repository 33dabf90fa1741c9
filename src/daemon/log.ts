/** The daemon's log: JSON lines through pino. Nothing that may be a key gets in: see `withoutKeys`. */

import { renameSync, statSync } from 'node:fs';
import { type Logger, pino } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type Log = Pick<Logger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

const KEPT_BYTES = 8 * 1024 * 1024;

/** Writes at once, so that nothing is lost in a crash; a reader that went away ends nothing. */
export function createLog({ level, fd }: { level: LogLevel; fd: number }): Log {
  const destination = pino.destination({ dest: fd, sync: true });
  destination.on('error', () => undefined);
  return pino({ level, base: { pid: process.pid } }, destination);
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
