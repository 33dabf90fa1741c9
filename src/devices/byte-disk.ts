/**
 * A file or a block node as bytes, for those who read and write headers.
 *
 * Which lock: whoever changes key slots, labels and the like takes the `header`'s lock (the default), which two header writers, ours or cryptsetup,
 * exclude each other with, while a mapped volume goes on. Whoever changes what the data are (format, erase, re-encryption, header restore)
 * takes the `image`'s lock besides, which qemu and our own mappings hold.
 */

import { closeSync, constants, fdatasync, fstatSync, openSync, read, write } from 'node:fs';
import { type Clock, systemClock } from '../base/clock.ts';
import { DmError, Errno, type ErrnoName, errnoName, errnoOf } from '../base/errors.ts';
import { SECTOR_BYTES } from '../base/units.ts';
import type { ByteDisk } from '../core/byte-disk.ts';
import { loadSystem, type System } from '../system/index.ts';
import { blockNodeSizeBytes, isReadOnlyNode } from './block-node.ts';
import { attempt, Descriptor } from './descriptor.ts';
import { lockHeader } from './header-lock.ts';
import { deviceNumberOf } from './node-number.ts';

export type DiskLock = 'image' | 'header' | 'none';

export interface FileDiskOptions {
  readOnly: boolean;
  /** Default `header`. */
  lock?: DiskLock;
  clock?: Clock;
  system?: System | null;
}

export interface FileDisk extends ByteDisk, AsyncDisposable {
  readonly isBlockNode: boolean;
  /** What an encryption sector had best be: as large as what the medium writes as a whole. */
  readonly bestSectorBytes: number;
  /** Gives the locks back; may be called again. */
  close(): Promise<void>;
}

/** Throws DmError: ENOENT, EACCES, ENOTBLK, EBUSY (locked by another) ... */
export async function openFileDisk(path: string, options: FileDiskOptions): Promise<FileDisk> {
  const { readOnly, lock = 'header', clock = systemClock, system = loadSystem() } = options;
  const locks = (lock !== 'none' && system?.locks) || null;
  const descriptor = new Descriptor({
    path,
    readOnly,
    locks: lock === 'image' ? locks : null,
    checkWritable: (fd) => checkWritableNode(fd, path, system),
  });
  const { fd } = descriptor;
  const releases: (() => void)[] = [];
  try {
    const facts = factsOf(descriptor, system);
    if (facts.isBlockNode && lock === 'image' && !readOnly) releases.push(claimNode(path));
    if (locks) {
      const held = await lockHeader(locks, { fd, path, exclusive: !readOnly, clock });
      releases.push(() => held.release());
    }
    return new DescriptorDisk(descriptor, facts, releases);
  } catch (error) {
    for (const release of releases) release();
    descriptor.closeClean();
    throw error;
  }
}

function checkWritableNode(fd: number, path: string, system: System | null): void {
  const { rdev } = fstatSync(fd);
  if (rdev === 0 || !isReadOnlyNode(fd, deviceNumberOf(rdev), system)) return;
  throw new DmError('EROFS', `Cannot open "${path}" for writing: the disk is read-only`);
}

/** Linux lets one have a node for itself: not while a file system on it is mounted or the kernel maps it. */
function claimNode(path: string): () => void {
  const fd = attempt(path, true, () => openSync(path, constants.O_RDONLY | constants.O_EXCL));
  return () => closeSync(fd);
}

interface Facts {
  isBlockNode: boolean;
  sizeBytes: number;
  sectorBytes: number;
  bestSectorBytes: number;
}

/** Of files, and what LUKS has at most. */
const MAX_SECTOR_BYTES = 4096;

function factsOf(descriptor: Descriptor, system: System | null): Facts {
  const stats = fstatSync(descriptor.fd);
  if (stats.isFile()) {
    return {
      isBlockNode: false,
      sizeBytes: stats.size,
      sectorBytes: SECTOR_BYTES,
      bestSectorBytes: MAX_SECTOR_BYTES,
    };
  }
  if (!stats.isBlockDevice()) {
    const { path } = descriptor;
    throw new DmError('ENOTBLK', `Cannot open "${path}": expected a file or a block device`);
  }
  const logicalBytes = system?.blocks.logicalBlockBytes(descriptor.fd) ?? 0;
  const sectorBytes = Math.max(logicalBytes, SECTOR_BYTES);
  return {
    isBlockNode: true,
    sizeBytes: blockNodeSizeBytes(descriptor, deviceNumberOf(stats.rdev), system),
    sectorBytes,
    bestSectorBytes: bestSectorOf(
      sectorBytes,
      system?.blocks.physicalBlockBytes(descriptor.fd) ?? 0,
    ),
  };
}

/** cryptsetup's rule: the physical block if that is a size for sectors, else the logical one. */
export function bestSectorOf(logicalBytes: number, physicalBytes: number): number {
  const isUsable =
    physicalBytes > logicalBytes &&
    physicalBytes <= MAX_SECTOR_BYTES &&
    physicalBytes % logicalBytes === 0;
  return isUsable ? physicalBytes : logicalBytes;
}

/** Asks for what is left from `done` bytes on. */
type Step = (doneBytes: number, answer: (error: Error | null, count: number) => void) => void;

class DescriptorDisk implements FileDisk {
  readonly name: string;
  readonly isBlockNode: boolean;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly bestSectorBytes: number;
  readonly readOnly: boolean;
  readonly #descriptor: Descriptor;
  readonly #releases: (() => void)[];

  constructor(descriptor: Descriptor, facts: Facts, releases: (() => void)[]) {
    this.name = descriptor.path;
    this.readOnly = !descriptor.writable;
    this.isBlockNode = facts.isBlockNode;
    this.sizeBytes = facts.sizeBytes;
    this.sectorBytes = facts.sectorBytes;
    this.bestSectorBytes = facts.bestSectorBytes;
    this.#descriptor = descriptor;
    this.#releases = releases;
  }

  async read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    this.#check('read', 'EIO', offsetBytes, lengthBytes);
    const memory = new Uint8Array(lengthBytes);
    const { fd } = this.#descriptor;
    await this.#transfer('read', lengthBytes, (done, answer) =>
      read(fd, memory, done, lengthBytes - done, offsetBytes + done, answer),
    );
    return memory;
  }

  async write(offsetBytes: number, bytes: Uint8Array): Promise<void> {
    if (this.readOnly) {
      throw new DmError('EROFS', `Cannot write to "${this.name}": it is open read-only`);
    }
    const lengthBytes = bytes.byteLength;
    this.#check('write', 'ENOSPC', offsetBytes, lengthBytes);
    const { fd } = this.#descriptor;
    await this.#transfer('write', lengthBytes, (done, answer) =>
      write(fd, bytes, done, lengthBytes - done, offsetBytes + done, answer),
    );
  }

  flush(): Promise<void> {
    if (this.readOnly) return Promise.resolve();
    return new Promise((resolve, reject) => {
      fdatasync(this.#descriptor.fd, (error) => {
        if (error) reject(this.#failed('flush', error));
        else resolve();
      });
    });
  }

  async close(): Promise<void> {
    this.#descriptor.unlock();
    for (const release of this.#releases.splice(0)) release();
    await this.#descriptor.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #check(verb: string, code: ErrnoName, offsetBytes: number, lengthBytes: number): void {
    if (offsetBytes >= 0 && offsetBytes + lengthBytes <= this.sizeBytes) return;
    const range = `bytes ${offsetBytes} to ${offsetBytes + lengthBytes}`;
    throw new DmError(
      code,
      `Cannot ${verb} "${this.name}": ${range} reach behind its end at ${this.sizeBytes}`,
    );
  }

  async #transfer(verb: string, lengthBytes: number, step: Step): Promise<void> {
    let done = 0;
    while (done < lengthBytes) {
      const count = await new Promise<number>((resolve, reject) => {
        step(done, (error, moved) => {
          if (error) reject(this.#failed(verb, error));
          else resolve(moved);
        });
      });
      // A file that was cut off meanwhile.
      if (count === 0) throw this.#failed(verb, new Error('it ends early'));
      done += count;
    }
  }

  #failed(verb: string, cause: Error): DmError {
    const errno = errnoOf(cause);
    const code = Object.keys(Errno).find((name) => Errno[name as ErrnoName] === errno);
    const reason = 'code' in cause ? errnoName(errno) : cause.message;
    return new DmError((code ?? 'EIO') as ErrnoName, `Cannot ${verb} "${this.name}": ${reason}`, {
      cause,
    });
  }
}
