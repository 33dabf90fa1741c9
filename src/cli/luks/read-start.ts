/** The first bytes of an image, for probing. */

import { closeSync, openSync, readSync } from 'node:fs';
import { PROBED_BYTES } from './signature-probe.ts';

/** Fewer when it is shorter. Throws what Node throws. */
export function readStart(path: string): Uint8Array {
  const fd = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(PROBED_BYTES);
    const count = readSync(fd, bytes, 0, bytes.byteLength, 0);
    return bytes.subarray(0, count);
  } finally {
    closeSync(fd);
  }
}
