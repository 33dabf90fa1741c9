/** What was on the disk before the workload: nothing, or an image, which is never written. */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { DmError } from '../base/errors.ts';
import { bytesToSectors, SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';

export interface BaseImage {
  readonly sizeSectors: number;
  /** All of it reads as zeroes. */
  readonly isBlank: boolean;
  /** Throws DmError EIO. */
  read(sector: number, sectorCount: number, target: Uint8Array, offsetBytes: number): void;
  close(): void;
}

export function blankImage(sizeSectors: number): BaseImage {
  return {
    sizeSectors,
    isBlank: true,
    read(_sector, sectorCount, target, offsetBytes) {
      target.fill(0, offsetBytes, offsetBytes + sectorsToBytes(sectorCount));
    },
    close() {},
  };
}

/** A raw image; what is missing of its last sector reads as zeroes. Throws DmError. */
export function fileImage(path: string): BaseImage {
  const fd = openImage(path);
  const sizeBytes = fstatSync(fd).size;
  const sizeSectors = bytesToSectors(sizeBytes + SECTOR_BYTES - 1);
  if (sizeSectors === 0) {
    closeSync(fd);
    throw new DmError('EINVAL', `Cannot use ${path} as a disk: it is empty`);
  }
  return {
    sizeSectors,
    isBlank: false,
    read(sector, sectorCount, target, offsetBytes) {
      const endBytes = offsetBytes + sectorsToBytes(sectorCount);
      let done = offsetBytes;
      while (done < endBytes) {
        const position = sectorsToBytes(sector) + done - offsetBytes;
        const count = readSync(fd, target, done, endBytes - done, position);
        if (count === 0) break;
        done += count;
      }
      target.fill(0, done, endBytes);
    },
    close: () => closeSync(fd),
  };
}

function openImage(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const name = code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR' ? code : 'EIO';
    throw new DmError(name, `Cannot open ${path}: ${code ?? String(error)}`, { cause: error });
  }
}
