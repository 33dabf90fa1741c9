/**
 * A marker file stands where a device node cannot be made: the preload library (src/exec/preload.c) answers stat and open
 * for it. A regular file with mode bits that no regular file has by accident, of one size, with a line of text.
 */

import { chmodSync, readFileSync, type Stats, writeFileSync } from 'node:fs';
import type { DeviceNumber } from '../core/device.ts';

/** Set-user-id and sticky on a file nobody can execute. */
const MARKER_MODE = 0o5000;
const MARKER_BYTES = 64;
const TEXT = /^devmapper node b (\d{1,4}):(\d{1,7})\n/;

export function writeMarker(path: string, kind: 'b' | 'c', { major, minor }: DeviceNumber): void {
  const text = `devmapper node ${kind} ${major}:${minor}`.padEnd(MARKER_BYTES, '\n');
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, MARKER_MODE | 0o660);
}

/** The device that the file at `path` stands for; null: an ordinary file. */
export function readMarker(path: string, stats: Stats): DeviceNumber | null {
  const marked =
    stats.isFile() && stats.size === MARKER_BYTES && (stats.mode & 0o7000) === MARKER_MODE;
  if (!marked) return null;
  const found = TEXT.exec(readFileSync(path, 'latin1'));
  return found && { major: Number(found[1]), minor: Number(found[2]) };
}
