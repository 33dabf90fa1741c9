/**
 * A block device node as a disk: sizes and limits by ioctl, or without our own system calls from /sys/dev/block.
 *
 * Discard and zeroes go down as BLKDISCARD, BLKZEROOUT and fallocate. I/O goes through the page cache of the node.
 */

import { existsSync, readFileSync, readSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { DmError, Errno, errnoName, errnoOf } from '../base/errors.ts';
import { bytesToSectors, SECTOR_BYTES } from '../base/units.ts';
import { type DeviceNumber, formatDeviceNumber } from '../core/device.ts';
import { DEFAULT_LIMITS, type Limits } from '../core/limits.ts';
import type { System } from '../system/index.ts';
import { CachedIo } from './cached-io.ts';
import type { Descriptor } from './descriptor.ts';
import { DescriptorDevice } from './descriptor-device.ts';
import { resultErrno } from './leaf-bio.ts';
import { plainSpace, type Space } from './space.ts';

export interface BlockNodeOptions {
  descriptor: Descriptor;
  /** The node's own. */
  number: DeviceNumber;
  clock: Clock;
  system: System | null;
}

export function createBlockNodeDevice(options: BlockNodeOptions): DescriptorDevice {
  const { descriptor, number, clock, system } = options;
  const facts = createFacts(number);
  return new DescriptorDevice({
    number,
    operand: formatDeviceNumber(number),
    descriptor,
    sizeSectors: bytesToSectors(blockNodeSizeBytes(descriptor, number, system)),
    limits: () => limitsOf(descriptor, system, facts),
    space: system ? createNodeSpace(system) : plainSpace,
    cached: system && new CachedIo({ files: system.files, clock, inMemory: false }),
    inMemory: false,
  });
}

export function blockNodeSizeBytes(
  descriptor: Descriptor,
  number: DeviceNumber,
  system: System | null,
): number {
  if (system) return check(system.blocks.sizeBytes(descriptor.fd), descriptor);
  return createFacts(number).sizeBytes() ?? findSize(descriptor.fd);
}

/** Linux lets a read-only disk be opened for writing, and then refuses each write. */
export function isReadOnlyNode(fd: number, number: DeviceNumber, system: System | null): boolean {
  const flag = system ? system.blocks.isReadOnly(fd) : createFacts(number).isReadOnly();
  return flag === 1;
}

function check(result: number, { path }: Descriptor): number {
  if (result >= 0) return result;
  throw new DmError('EIO', `Cannot ask "${path}" for its size: ${errnoName(-result)}`);
}

function limitsOf({ fd }: Descriptor, system: System | null, facts: NodeFacts): Limits {
  const blocks = system?.blocks;
  const ask = (answer: number | undefined, fact: string, otherwise: number) =>
    answer !== undefined && answer >= 0 ? answer : (facts.queue(fact) ?? otherwise);
  const logical = ask(blocks?.logicalBlockBytes(fd), 'logical_block_size', SECTOR_BYTES);
  const physical = ask(blocks?.physicalBlockBytes(fd), 'physical_block_size', logical);
  return {
    ...DEFAULT_LIMITS,
    logicalBlockBytes: logical,
    physicalBlockBytes: physical,
    ioMinBytes: ask(blocks?.minimumIoBytes(fd), 'minimum_io_size', physical),
    ioOptBytes: ask(blocks?.optimalIoBytes(fd), 'optimal_io_size', 0),
    discardGranularityBytes: system ? discardGranularity(facts, logical) : 0,
  };
}

/** Only /sys knows; without it discards are tried, and a device that cannot answers ENOTSUP. */
function discardGranularity(facts: NodeFacts, logicalBlockBytes: number): number {
  if (facts.queue('discard_max_bytes') === 0) return 0;
  return Math.max(facts.queue('discard_granularity') ?? 0, logicalBlockBytes);
}

/** What the kernel says in /sys about a device; undefined: nothing. */
interface NodeFacts {
  sizeBytes(): number | undefined;
  isReadOnly(): number | undefined;
  queue(name: string): number | undefined;
}

function createFacts(number: DeviceNumber): NodeFacts {
  const folder = `/sys/dev/block/${formatDeviceNumber(number)}`;
  // A partition shares the queue of its disk, in whose folder it lies.
  const queue = existsSync(`${folder}/partition`) ? `${folder}/../queue` : `${folder}/queue`;
  return {
    sizeBytes() {
      const sectors = readNumber(`${folder}/size`);
      return sectors === undefined ? undefined : sectors * SECTOR_BYTES;
    },
    isReadOnly: () => readNumber(`${folder}/ro`),
    queue: (name) => readNumber(`${queue}/${name}`),
  };
}

function readNumber(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const value = Number(readFileSync(path, 'utf8'));
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** The end of what can be read, by halving: where a system says nothing about its disks. */
function findSize(fd: number): number {
  const sector = Buffer.alloc(SECTOR_BYTES);
  const isInside = (index: number) => {
    try {
      return readSync(fd, sector, 0, SECTOR_BYTES, index * SECTOR_BYTES) === SECTOR_BYTES;
    } catch (error) {
      // How a system says "behind the end"; a read error on the way is no end.
      if ([Errno.EINVAL, Errno.ENXIO, Errno.ENOSPC].some((errno) => errno === errnoOf(error))) {
        return false;
      }
      throw error;
    }
  };
  let inside = -1;
  let outside = 1;
  while (isInside(outside)) {
    inside = outside;
    outside *= 2;
  }
  while (outside - inside > 1) {
    const middle = Math.floor((inside + outside) / 2);
    if (isInside(middle)) inside = middle;
    else outside = middle;
  }
  return (inside + 1) * SECTOR_BYTES;
}

function createNodeSpace({ blocks, space }: System): Space {
  return {
    discard: async (fd, { startBytes, lengthBytes }) =>
      resultErrno(await blocks.discardAsync(fd, startBytes, lengthBytes)),
    async writeZeroes(fd, { startBytes, lengthBytes }, { mayUnmap, fastOnly }) {
      if (mayUnmap) {
        // On a node this frees the blocks, or answers ENOTSUP where that would not read as zeroes.
        const result = await space.allocateAsync(fd, 'punchHole', startBytes, lengthBytes);
        if (result !== -Errno.ENOTSUP) return resultErrno(result);
      }
      if (fastOnly) return Errno.ENOTSUP;
      return resultErrno(await blocks.zeroOutAsync(fd, startBytes, lengthBytes));
    },
    describe: plainSpace.describe,
  };
}
