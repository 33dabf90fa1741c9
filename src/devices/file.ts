/**
 * A regular file as a disk. Sparse files stay sparse: discards punch holes, zeroes need no writing, holes are reported.
 *
 * The size is the file's when it was opened, rounded down to sectors. A file that shrinks meanwhile answers EIO where it ended.
 */

import { fstatSync, type Stats } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { bytesToSectors, SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';
import { quoteArgument } from '../core/arguments.ts';
import { DEFAULT_LIMITS, type Limits } from '../core/limits.ts';
import type { System } from '../system/index.ts';
import { FileSystemMagic } from '../system/space-calls.ts';
import { CachedIo } from './cached-io.ts';
import type { Descriptor } from './descriptor.ts';
import { DescriptorDevice, type DescriptorDeviceOptions } from './descriptor-device.ts';
import { canPunchHoles, createFileSpace } from './file-space.ts';
import type { PoolCalls } from './pool-calls.ts';
import { plainSpace } from './space.ts';

const LARGEST_BLOCK_BYTES = 64 * 1024;
/** So far behind the end of the file a hole is tried: a writer who appends meanwhile does not reach it. */
const PROBE_DISTANCE_BYTES = 64 * 1024 * 1024;

export interface FileOptions {
  descriptor: Descriptor;
  number: DescriptorDeviceOptions['number'];
  clock: Clock;
  system: System | null;
  calls?: PoolCalls;
}

export function createFileDevice(options: FileOptions): DescriptorDevice {
  const { descriptor, number, system } = options;
  const stats = fstatSync(descriptor.fd);
  const inMemory = system?.space.fileSystemMagic(descriptor.fd) === FileSystemMagic.tmpfs;
  return new DescriptorDevice({
    number,
    operand: quoteArgument(descriptor.path),
    descriptor,
    sizeSectors: bytesToSectors(stats.size),
    limits: ({ fd, writable }) => limitsOf(fd, stats, writable ? system : null),
    space: system ? createFileSpace(system.space) : plainSpace,
    cached: system && new CachedIo({ files: system.files, clock: options.clock, inMemory }),
    inMemory,
    ...(options.calls && { calls: options.calls }),
  });
}

/** As a loop device has them: discards and writes are cheap in blocks of the file system, any sector is allowed. */
function limitsOf(fd: number, stats: Stats, system: System | null): Limits {
  const blockBytes = blockSize(stats.blksize);
  // The size of this moment: the file may have grown since it was opened, and what is in it by now is somebody's.
  const sizeBytes = sectorsToBytes(Math.ceil(fstatSync(fd).size / SECTOR_BYTES));
  const discards =
    system !== null && canPunchHoles(system.space, fd, sizeBytes + PROBE_DISTANCE_BYTES);
  return {
    ...DEFAULT_LIMITS,
    physicalBlockBytes: blockBytes,
    ioMinBytes: blockBytes,
    discardGranularityBytes: discards ? blockBytes : 0,
  };
}

/** Of a power of two only, and not the megabytes that network file systems would like. */
function blockSize(preferredBytes: number): number {
  const isPower = preferredBytes > 0 && Number.isInteger(Math.log2(preferredBytes));
  const inRange = preferredBytes >= SECTOR_BYTES && preferredBytes <= LARGEST_BLOCK_BYTES;
  return isPower && inRange ? preferredBytes : SECTOR_BYTES;
}
