/**
 * A log's data while it is recorded: the first part in memory, which is all of most logs, the rest in a file that has no name any more, so that nobody
 * else can open it and nothing of it stays, however the process ends.
 *
 * Invariant: slab `n` is in memory while `n` < the number of slabs that memory may have, or while it is the last one; else it is in the file,
 * whole.
 */

import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DmError, type ErrnoName } from '../base/errors.ts';
import { formatBytes, SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';
import type { LogData } from './log-data.ts';

const SLAB_SECTORS = 2048;
const SLAB_BYTES = sectorsToBytes(SLAB_SECTORS);
const DEFAULT_MEMORY_BYTES = 64 * 1024 * 1024;

export interface SpoolOptions {
  /** So much stays in memory. Default 64 MiB. */
  memoryBytes?: number;
  /** Where the rest goes. Default: the system's folder for temporary files ($TMPDIR). */
  folder?: string;
}

export class SpooledLogData implements LogData, Disposable {
  readonly #folder: string;
  readonly #memorySlabCount: number;
  readonly #slabs: Uint8Array[] = [];
  /** The last slab, once memory has its share. */
  #last = new Uint8Array(0);
  #lastIndex = -1;
  #fd: number | null = null;
  #sectorCount = 0;
  #problem: DmError | null = null;

  constructor({ memoryBytes = DEFAULT_MEMORY_BYTES, folder = tmpdir() }: SpoolOptions = {}) {
    this.#folder = folder;
    this.#memorySlabCount = Math.ceil(memoryBytes / SLAB_BYTES);
  }

  get sectorCount(): number {
    return this.#sectorCount;
  }

  /** Why something could not be kept: what was recorded since is not to be relied on. */
  get problem(): DmError | null {
    return this.#problem;
  }

  /** Answers where the data, whole sectors, begin. They are copied. Throws DmError. */
  append(bytes: Uint8Array): number {
    if (this.#problem !== null) throw this.#problem;
    const start = this.#sectorCount;
    for (let done = 0; done < bytes.byteLength; ) {
      const slab = this.#slabForMore();
      const offset = sectorsToBytes(this.#sectorCount % SLAB_SECTORS);
      const part = bytes.subarray(done, done + slab.byteLength - offset);
      slab.set(part, offset);
      done += part.byteLength;
      this.#sectorCount += part.byteLength / SECTOR_BYTES;
    }
    return start;
  }

  read(dataSector: number, sectorCount: number, target: Uint8Array, offsetBytes: number): void {
    for (let done = 0; done < sectorCount; ) {
      const inSlab = (dataSector + done) % SLAB_SECTORS;
      const index = (dataSector + done - inSlab) / SLAB_SECTORS;
      const count = Math.min(sectorCount - done, SLAB_SECTORS - inSlab);
      const slab = this.#slabs[index] ?? (index === this.#lastIndex ? this.#last : null);
      const offset = offsetBytes + sectorsToBytes(done);
      if (slab === null) this.#readFile(dataSector + done, count, target, offset);
      else
        target.set(slab.subarray(sectorsToBytes(inSlab), sectorsToBytes(inSlab + count)), offset);
      done += count;
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
    this.#problem ??= new DmError('EBADF', 'Cannot use the data of a log: it was closed');
  }

  #slabForMore(): Uint8Array {
    const index = Math.floor(this.#sectorCount / SLAB_SECTORS);
    if (index < this.#memorySlabCount) {
      this.#slabs[index] ??= new Uint8Array(SLAB_BYTES);
      return this.#slabs[index];
    }
    if (index === this.#lastIndex) return this.#last;
    if (this.#lastIndex < 0) this.#last = new Uint8Array(SLAB_BYTES);
    else this.#writeFile(this.#lastIndex, this.#last);
    this.#lastIndex = index;
    return this.#last;
  }

  #writeFile(index: number, slab: Uint8Array): void {
    try {
      this.#fd ??= openPrivateFile(this.#folder);
      for (let done = 0; done < SLAB_BYTES; ) {
        const position = this.#positionOf(index * SLAB_SECTORS) + done;
        done += writeSync(this.#fd, slab, done, SLAB_BYTES - done, position);
      }
    } catch (error) {
      throw this.#fail(error, 'keep');
    }
  }

  #readFile(dataSector: number, sectorCount: number, target: Uint8Array, offsetBytes: number) {
    const lengthBytes = sectorsToBytes(sectorCount);
    try {
      for (let done = 0; done < lengthBytes; ) {
        const position = this.#positionOf(dataSector) + done;
        const length = lengthBytes - done;
        const count = readSync(this.#fd!, target, offsetBytes + done, length, position);
        if (count === 0) throw new Error('it became shorter');
        done += count;
      }
    } catch (error) {
      throw this.#fail(error, 'read');
    }
  }

  #positionOf(dataSector: number): number {
    return sectorsToBytes(dataSector - this.#memorySlabCount * SLAB_SECTORS);
  }

  #fail(error: unknown, doing: string): DmError {
    const { code, message } = error as NodeJS.ErrnoException;
    const name: ErrnoName = code === 'ENOSPC' ? 'ENOSPC' : 'EIO';
    const size = formatBytes(sectorsToBytes(this.#sectorCount));
    const text = `Cannot ${doing} the log of writes, ${size} so far, in ${this.#folder}: ${code ?? message}; $TMPDIR says where it lies`;
    this.#problem ??= new DmError(name, text, { cause: error });
    return this.#problem;
  }
}

/** Has no name once it is open. */
function openPrivateFile(parent: string): number {
  const folder = mkdtempSync(join(parent, 'devmapper-crashtest-log-'));
  try {
    return openSync(join(folder, 'data'), 'wx+', 0o600);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
