/**
 * The file that a LUKS1 re-encryption keeps its state in, because LUKS1 has no room for one: a LUKS2 header as a detached one, with everything that makes the
 * re-encryption of LUKS2 safe, and behind it the LUKS1 header that the volume will have (none when it is decrypted).
 */

import { DmError } from '../../../base/errors.ts';
import { SECTOR_BYTES } from '../../../base/units.ts';
import type { ByteDisk } from '../../../core/byte-disk.ts';
import { decodeHeader, type Luks1Header } from '../header.ts';
import { HEADER_BYTES, headerAreaSectors } from '../layout.ts';

/** As large as cryptsetup makes detached headers. */
export const LUKS2_PART_BYTES = 16 * 1024 * 1024;

export function stateFileBytes(newKeyBytes: number | null): number {
  if (newKeyBytes === null) return LUKS2_PART_BYTES;
  return LUKS2_PART_BYTES + headerAreaSectors(newKeyBytes) * SECTOR_BYTES;
}

/** The LUKS1 header to come, as a disk of its own; null for a decryption. */
export function comingHeader(file: ByteDisk): ByteDisk | null {
  if (file.sizeBytes <= LUKS2_PART_BYTES) return null;
  return new DiskPart(file, LUKS2_PART_BYTES, file.sizeBytes - LUKS2_PART_BYTES);
}

export function luks2Part(file: ByteDisk): ByteDisk {
  return new DiskPart(file, 0, LUKS2_PART_BYTES);
}

export async function readComing(part: ByteDisk): Promise<Luks1Header> {
  return decodeHeader(await part.read(0, HEADER_BYTES));
}

/** A range of a disk. */
class DiskPart implements ByteDisk {
  readonly #disk: ByteDisk;
  readonly #offsetBytes: number;
  readonly sizeBytes: number;

  constructor(disk: ByteDisk, offsetBytes: number, sizeBytes: number) {
    this.#disk = disk;
    this.#offsetBytes = offsetBytes;
    this.sizeBytes = sizeBytes;
  }

  get name(): string {
    return this.#disk.name;
  }

  get readOnly(): boolean {
    return this.#disk.readOnly;
  }

  get sectorBytes(): number {
    return this.#disk.sectorBytes;
  }

  async read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    this.#check('EIO', offsetBytes, lengthBytes);
    return this.#disk.read(this.#offsetBytes + offsetBytes, lengthBytes);
  }

  async write(offsetBytes: number, bytes: Uint8Array): Promise<void> {
    this.#check('ENOSPC', offsetBytes, bytes.byteLength);
    await this.#disk.write(this.#offsetBytes + offsetBytes, bytes);
  }

  flush(): Promise<void> {
    return this.#disk.flush();
  }

  #check(code: 'EIO' | 'ENOSPC', offsetBytes: number, lengthBytes: number): void {
    if (offsetBytes >= 0 && offsetBytes + lengthBytes <= this.sizeBytes) return;
    const range = `${lengthBytes} bytes at ${offsetBytes}`;
    throw new DmError(code, `Cannot reach ${range} of ${this.sizeBytes} bytes in "${this.name}"`);
  }
}
