/** What was on the disk before the workload: nothing, or an image, which is never written. */

import { fstatSync } from 'node:fs';
import { DmError } from '../base/errors.ts';
import { bytesToSectors, SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';
import { blockNodeSizeBytes } from '../devices/block-node.ts';
import { Descriptor } from '../devices/descriptor.ts';
import { deviceNumberOf } from '../devices/node-number.ts';
import { loadSystem, type System } from '../system/index.ts';
import { readFile } from './read-file.ts';

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

/** A raw image in a file or on a disk; what is missing of its last sector reads as zeroes. Throws DmError, EBUSY while somebody writes it. */
export function fileImage(path: string): BaseImage {
  const system = loadSystem();
  const descriptor = new Descriptor({ path, readOnly: true, locks: system?.locks ?? null });
  const { fd } = descriptor;
  try {
    const sizeSectors = bytesToSectors(sizeOf(descriptor, system) + SECTOR_BYTES - 1);
    if (sizeSectors === 0) {
      throw new DmError('EINVAL', `Cannot use ${path} as a disk: it is empty`);
    }
    return {
      sizeSectors,
      isBlank: false,
      read: (sector, sectorCount, target, offsetBytes) => {
        const lengthBytes = sectorsToBytes(sectorCount);
        const range = { fd, path, positionBytes: sectorsToBytes(sector), lengthBytes };
        const count = readFile(range, target, offsetBytes);
        target.fill(0, offsetBytes + count, offsetBytes + lengthBytes);
      },
      close: () => descriptor.closeClean(),
    };
  } catch (error) {
    descriptor.closeClean();
    throw error;
  }
}

/** The image, or where there is none a blank disk of so many sectors. Throws as `fileImage` does. */
export function openBase(image: string | undefined, blankSectors: number): BaseImage {
  return image === undefined ? blankImage(blankSectors) : fileImage(image);
}

function sizeOf(descriptor: Descriptor, system: System | null): number {
  const facts = fstatSync(descriptor.fd);
  if (facts.isFile()) return facts.size;
  if (facts.isBlockDevice()) {
    return blockNodeSizeBytes(descriptor, deviceNumberOf(facts.rdev), system);
  }
  const { path } = descriptor;
  throw new DmError('EINVAL', `Cannot use ${path} as a disk: expected a file with a raw image`);
}
