/** The COW device as a store reads and writes its metadata: bytes at offsets, in bios that the device takes, one promise for each. */

import { DmError, Errno, type ErrnoName, errnoName } from '../../base/errors.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import { type Bio, BioFlag, NO_DATA, Op, recycleBio, takeBio } from '../../core/bio.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import type { BlockDevice } from '../../core/device.ts';
import type { TargetMemory } from '../../core/target-memory.ts';

/** Of one bio. */
const MAX_SECTORS = 2048;

interface Request {
  readonly op: Op;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly data?: Uint8Array;
  readonly isDurable?: boolean;
}

const VERBS = ['read', 'write to', 'flush', 'discard on', 'write zeroes to', 'ask'] as const;

export class StoreDisk implements ByteDisk {
  readonly #device: BlockDevice;
  readonly #memory: TargetMemory;

  constructor(device: BlockDevice, memory: TargetMemory) {
    this.#device = device;
    this.#memory = memory;
  }

  get name(): string {
    return this.#device.operand;
  }

  /** Now: a mapped device may have grown. */
  get sizeBytes(): number {
    return sectorsToBytes(this.#device.sizeSectors);
  }

  get readOnly(): boolean {
    return this.#device.readOnly;
  }

  get sectorBytes(): number {
    return this.#device.limits.logicalBlockBytes;
  }

  async read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    const data = this.#memory.takeMemory(lengthBytes);
    await this.#transfer({ op: Op.read, offsetBytes, lengthBytes, data });
    return data;
  }

  /** The bytes are copied. */
  async write(offsetBytes: number, bytes: Uint8Array, { isDurable = false } = {}): Promise<void> {
    const lengthBytes = bytes.byteLength;
    const data = this.#memory.takeMemory(lengthBytes);
    data.set(bytes);
    try {
      await this.#transfer({ op: Op.write, offsetBytes, lengthBytes, data, isDurable });
    } finally {
      this.#memory.freeMemory(data);
    }
  }

  writeZeroes(offsetBytes: number, lengthBytes: number): Promise<void> {
    return this.#transfer({ op: Op.writeZeroes, offsetBytes, lengthBytes });
  }

  flush(): Promise<void> {
    return this.#submit({ op: Op.flush, offsetBytes: 0, lengthBytes: 0 }, 0, 0);
  }

  async #transfer(request: Request): Promise<void> {
    const { op, offsetBytes, lengthBytes } = request;
    const endBytes = offsetBytes + lengthBytes;
    if (endBytes > this.sizeBytes) {
      const range = `bytes ${offsetBytes} to ${endBytes}`;
      throw this.#failed(op, 'EIO', `${range} reach behind its end at ${this.sizeBytes}`);
    }
    const largestSectors = Math.min(this.#device.limits.maxIoSectors, MAX_SECTORS);
    const sectorCount = lengthBytes / SECTOR_BYTES;
    for (let done = 0; done < sectorCount; done += largestSectors) {
      await this.#submit(request, done, Math.min(largestSectors, sectorCount - done));
    }
  }

  #submit(request: Request, skipSectors: number, sectorCount: number): Promise<void> {
    const bio = takeBio();
    bio.op = request.op;
    bio.flags = request.isDurable ? BioFlag.fua : 0;
    bio.device = this.#device;
    bio.sector = request.offsetBytes / SECTOR_BYTES + skipSectors;
    bio.sectorCount = sectorCount;
    bio.data = request.data ?? NO_DATA;
    bio.dataOffset = sectorsToBytes(skipSectors);
    return new Promise((resolve, reject) => {
      bio.onEnd = (ended) => {
        if (ended.error === 0) resolve();
        else reject(this.#problemOf(ended));
        recycleBio(ended);
      };
      this.#device.submit(bio);
    });
  }

  #problemOf({ op, error, sector, sectorCount }: Bio): DmError {
    const code = errnoName(error);
    const where = `${sectorCount} sectors at ${sector}`;
    return this.#failed(op, code in Errno ? (code as ErrnoName) : 'EIO', `${code}, ${where}`);
  }

  #failed(op: Op, code: ErrnoName, reason: string): DmError {
    return new DmError(code, `Cannot ${VERBS[op]} "${this.name}": ${reason}`);
  }
}
