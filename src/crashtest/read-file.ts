/** Reading of files without waiting, with errors that a device can give on. */

import { readSync } from 'node:fs';
import { DmError, errnoName, errnoOf } from '../base/errors.ts';

export interface FileRead {
  fd: number;
  /** For messages. */
  path: string;
  positionBytes: number;
  lengthBytes: number;
}

/** Answers how many bytes were there: fewer at the end of the file. Throws DmError EIO. */
export function readFile(
  { fd, path, positionBytes, lengthBytes }: FileRead,
  target: Uint8Array,
  offsetBytes: number,
): number {
  let done = 0;
  try {
    while (done < lengthBytes) {
      const position = positionBytes + done;
      const count = readSync(fd, target, offsetBytes + done, lengthBytes - done, position);
      if (count === 0) break;
      done += count;
    }
  } catch (error) {
    const reason = errnoName(errnoOf(error));
    throw new DmError('EIO', `Cannot read ${path}: ${reason}`, { cause: error });
  }
  return done;
}
