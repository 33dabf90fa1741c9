/** The disks under test: two images, the same bytes joined in one file, and a reference copy nobody writes to. */

import { createCipheriv } from 'node:crypto';
import { closeSync, copyFileSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface Images {
  /** The two disks of the volume. */
  first: string;
  second: string;
  /** Both in one file, for servers that cannot join. */
  joined: string;
  /** What the volume must read as, and the source of copies into it. */
  reference: string;
  diskBytes: number;
}

const PIECE_BYTES = 4 * 1024 * 1024;

/** Random-looking and the same on every run, so that no server gains from zeroes or from luck. */
export function createImages(folder: string, diskBytes: number): Images {
  const path = (name: string) => join(folder, name);
  const images: Images = {
    first: path('first.img'),
    second: path('second.img'),
    joined: path('joined.img'),
    reference: path('reference.img'),
    diskBytes,
  };
  const key = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'devmapper'), Buffer.alloc(16));
  const zeroes = Buffer.alloc(PIECE_BYTES);
  const joined = openSync(images.joined, 'w');
  for (const disk of [images.first, images.second]) {
    const fd = openSync(disk, 'w');
    for (let written = 0; written < diskBytes; written += PIECE_BYTES) {
      const piece = key.update(zeroes).subarray(0, Math.min(PIECE_BYTES, diskBytes - written));
      writeSync(fd, piece);
      writeSync(joined, piece);
    }
    closeSync(fd);
  }
  closeSync(joined);
  copyFileSync(images.joined, images.reference);
  return images;
}
