/**
 * Names and nodes of the mount: a file for each mapped device with a live table, in one directory.
 *
 * Each device has a key, never used twice, and two nodes: its file, which is listed, and its block device node as programs
 * under the preload library open it, by a name of 160 bytes that is never listed (device names have at most 127):
 * `.node-<minor>-<st_dev>-<st_ino>-....`; the last two numbers are the library's own.
 */

import { Errno } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import type { Mapper } from '../../core/mapper.ts';
import { FileType, ROOT_NODE_ID } from '../../protocols/fuse/constants.ts';
import type { Attributes } from '../../protocols/fuse/reply.ts';

const HIDDEN_NAME_BYTES = 160;
const HIDDEN_NAME = /^\.node-(\d{1,7})-\d+-\d+-\.*$/;
/** The least that a program should read at once. */
const BLOCK_BYTES = 4096;
const DIRECTORY_MODE = FileType.directory | 0o700;
const FILE_MODE = FileType.regular | 0o600;

/** Node 1 is the directory; of a device with key k, node 2k is the file and 2k + 1 the block device node. */
export function deviceKeyOf(nodeId: number): number {
  return Math.floor(nodeId / 2);
}

/** Whether programs open it as a block device. */
export function isBlockNode(nodeId: number): boolean {
  return nodeId % 2 === 1;
}

export interface NodeTableOptions {
  mapper: Mapper;
  uid: number;
  gid: number;
  /** Of all files: when they were mounted. */
  timeSeconds: number;
}

export class NodeTable {
  readonly #options: NodeTableOptions;
  readonly #keys = new Map<MappedDevice, number>();
  readonly #devices = new Map<number, MappedDevice>();
  #lastKey = 0;

  constructor(options: NodeTableOptions) {
    this.#options = options;
  }

  /** The node of a name in the directory, or 0. */
  lookUp(name: string): number {
    const device = this.#options.mapper.find(name);
    if (device?.live) return this.fileNode(device);
    const hidden = this.#findHidden(name);
    return hidden === undefined ? 0 : this.fileNode(hidden) + 1;
  }

  #findHidden(name: string): MappedDevice | undefined {
    if (name.length !== HIDDEN_NAME_BYTES) return undefined;
    const minor = HIDDEN_NAME.exec(name)?.[1];
    if (minor === undefined) return undefined;
    const { mapper } = this.#options;
    const device = mapper.findNumber({ major: mapper.major, minor: Number(minor) });
    return device?.hasDisk ? device : undefined;
  }

  /** Names that lead to the device now: its file and its block device node. */
  namesOf(device: MappedDevice): string[] {
    const hidden = `.node-${device.number.minor}-0-0-`.padEnd(HIDDEN_NAME_BYTES, '.');
    return device.live === null ? [hidden] : [device.name, hidden];
  }

  /** Devices that are listed. */
  files(): MappedDevice[] {
    return this.#options.mapper.list().filter(({ live }) => live !== null);
  }

  fileNode(device: MappedDevice): number {
    const known = this.#keys.get(device);
    if (known !== undefined) return 2 * known;
    this.#lastKey += 1;
    this.#keys.set(device, this.#lastKey);
    this.#devices.set(this.#lastKey, device);
    return 2 * this.#lastKey;
  }

  /** The device of a node that the kernel knows from before; undefined once it was removed. */
  device(nodeId: number): MappedDevice | undefined {
    return this.#devices.get(deviceKeyOf(nodeId));
  }

  /** The device was removed. */
  forget(device: MappedDevice): void {
    const key = this.#keys.get(device);
    if (key === undefined) return;
    this.#keys.delete(device);
    this.#devices.delete(key);
  }

  /** A positive errno when there is no such node any more. */
  attributes(nodeId: number): Attributes | number {
    if (nodeId === ROOT_NODE_ID) return this.rootAttributes();
    const device = this.device(nodeId);
    return device === undefined ? Errno.ESTALE : this.#attributesOf(device, nodeId);
  }

  rootAttributes(): Attributes {
    const { uid, gid, timeSeconds } = this.#options;
    return {
      nodeId: ROOT_NODE_ID,
      sizeBytes: 0,
      mode: DIRECTORY_MODE,
      linkCount: 2,
      uid,
      gid,
      blockBytes: BLOCK_BYTES,
      timeSeconds,
    };
  }

  #attributesOf(device: MappedDevice, nodeId: number): Attributes {
    const { uid, gid, timeSeconds } = this.#options;
    return {
      nodeId,
      sizeBytes: device.sizeSectors * SECTOR_BYTES,
      mode: FILE_MODE,
      linkCount: 1,
      uid,
      gid,
      blockBytes: BLOCK_BYTES,
      timeSeconds,
    };
  }
}
