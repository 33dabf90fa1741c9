/** A ByteDisk in memory. */

import { DmError, type ErrnoName } from '../base/errors.ts';
import type { ByteDisk } from '../core/byte-disk.ts';

export interface MemoryDiskOptions {
  name?: string;
  readOnly?: boolean;
  sectorBytes?: number;
}

export class MemoryByteDisk implements ByteDisk {
  readonly name: string;
  readonly readOnly: boolean;
  readonly sectorBytes: number;
  /** What is on the disk; a test may change it. */
  readonly bytes: Uint8Array;
  writeCount = 0;

  /** A size: zeros. */
  constructor(content: Uint8Array | number, options: MemoryDiskOptions = {}) {
    this.bytes = typeof content === 'number' ? new Uint8Array(content) : content;
    this.name = options.name ?? 'memory';
    this.readOnly = options.readOnly ?? false;
    this.sectorBytes = options.sectorBytes ?? 512;
  }

  get sizeBytes(): number {
    return this.bytes.byteLength;
  }

  async read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    await this.#check('read', 'EIO', offsetBytes, lengthBytes);
    // A copy also of a Buffer, whose `slice` is none.
    return new Uint8Array(this.bytes.subarray(offsetBytes, offsetBytes + lengthBytes));
  }

  async write(offsetBytes: number, bytes: Uint8Array): Promise<void> {
    if (this.readOnly) throw new DmError('EROFS', `Cannot write to "${this.name}"`);
    await this.#check('write', 'ENOSPC', offsetBytes, bytes.byteLength);
    this.bytes.set(bytes, offsetBytes);
    this.writeCount += 1;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  /** Answers later, as disks do. */
  async #check(verb: string, code: ErrnoName, offset: number, length: number): Promise<void> {
    await Promise.resolve();
    if (offset >= 0 && length >= 0 && offset + length <= this.sizeBytes) return;
    throw new DmError(code, `Cannot ${verb} ${length} bytes at ${offset} of "${this.name}"`);
  }
}
