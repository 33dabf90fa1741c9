/** What a path or `major:minor` names: a regular file or a block device node, opened here; anything else is refused. */

import { existsSync, fstatSync, readFileSync, type Stats, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { DmError } from '../base/errors.ts';
import type { DeviceNumber } from '../core/device.ts';
import { loadSystem, type System } from '../system/index.ts';
import { createBlockNodeDevice, isReadOnlyNode } from './block-node.ts';
import { attempt, Descriptor } from './descriptor.ts';
import type { DeviceKind, LeafDevice, LeafOptions } from './device-kind.ts';
import { createFileDevice } from './file.ts';
import { deviceNumberOf } from './node-number.ts';

const NUMBER = /^(\d+):(\d+)$/;
const URI = /^([a-z][a-z0-9+.-]*):\/\//i;

/** Takes every word; stands last in the store's list. */
export function createPathKind(system: System | null = loadSystem()): DeviceKind {
  return {
    matches: () => true,
    absolute: absolutePath,
    key(operand) {
      const path = pathOf(operand);
      return keyOf(
        path,
        attempt(path, false, () => statSync(path)),
      );
    },
    open: (operand, options) => openPath(pathOf(operand), options, system),
  };
}

/** Files are the same by inode, nodes by the device behind them. */
function keyOf(path: string, stats: Stats): string {
  if (stats.isFile()) return `file ${stats.dev} ${stats.ino}`;
  if (stats.isBlockDevice()) return `node ${stats.rdev}`;
  throw new DmError(
    'ENOTBLK',
    `Cannot open "${path}": it is a ${whatIs(stats)}, expected an image file or a block device`,
  );
}

function whatIs(stats: Stats): string {
  if (stats.isDirectory()) return 'directory';
  if (stats.isCharacterDevice()) return 'character device';
  if (stats.isFIFO()) return 'FIFO';
  return stats.isSocket() ? 'socket' : 'special file';
}

function openPath(path: string, options: LeafOptions, system: System | null): LeafDevice {
  const locks = options.lock ? (system?.locks ?? null) : null;
  const descriptor = new Descriptor({
    path,
    readOnly: options.readOnly,
    locks,
    checkWritable(fd) {
      const { rdev } = fstatSync(fd);
      if (rdev === 0 || !isReadOnlyNode(fd, deviceNumberOf(rdev), system)) return;
      throw new DmError(
        'EACCES',
        `Cannot open "${path}" for writing: the disk is read-only; load the table read-only`,
      );
    },
  });
  try {
    const stats = fstatSync(descriptor.fd);
    // Looked at again, now open: something else may have taken the path's place.
    keyOf(path, stats);
    const common = { descriptor, number: options.number, clock: options.clock, system };
    if (stats.isFile()) return createFileDevice(common);
    return createBlockNodeDevice({ ...common, number: deviceNumberOf(stats.rdev) });
  } catch (error) {
    descriptor.unlock();
    void descriptor.close();
    throw error;
  }
}

/** `''` as the directory: the caller has none, or does not say. */
function absolutePath(operand: string, directory: string | undefined): string {
  if (directory === undefined || isAbsolute(operand)) return operand;
  if (NUMBER.test(operand) || URI.test(operand)) return operand;
  if (directory !== '') return resolve(directory, operand);
  throw new DmError('ENOENT', `Cannot open "${operand}": expected an absolute path`);
}

function pathOf(operand: string): string {
  const number = NUMBER.exec(operand);
  if (number) return nodeOf({ major: Number(number[1]), minor: Number(number[2]) });
  const scheme = URI.exec(operand)?.[1];
  if (scheme !== undefined && !existsSync(operand)) {
    throw new DmError('ENODEV', `Cannot open "${operand}": devices of ${scheme}:// are not known`);
  }
  return resolve(operand);
}

/** The node of a block device, by udev's links or else by the name the kernel gave it. */
function nodeOf({ major, minor }: DeviceNumber): string {
  const link = `/dev/block/${major}:${minor}`;
  if (existsSync(link)) return link;
  const name = kernelName(`/sys/dev/block/${major}:${minor}/uevent`);
  const node = name === null ? null : `/dev/${name}`;
  if (node !== null && isNodeOf(node, { major, minor })) return node;
  throw new DmError('ENXIO', `Cannot open ${major}:${minor}: no block device has that number`);
}

function kernelName(ueventPath: string): string | null {
  if (!existsSync(ueventPath)) return null;
  return /^DEVNAME=(.+)$/m.exec(readFileSync(ueventPath, 'utf8'))?.[1] ?? null;
}

function isNodeOf(path: string, { major, minor }: DeviceNumber): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isBlockDevice()) return false;
  const number = deviceNumberOf(stats.rdev);
  return number.major === major && number.minor === minor;
}
