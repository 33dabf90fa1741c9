/**
 * Bytes of a device through bios: ranges need not be whole blocks, as a block device node's page cache allows it too.
 *
 * A block that a write covers only in part is read first. Meanwhile nobody else writes it through the mount, so that programs with
 * bytes in one block do not undo each other's (write-ranges.ts).
 */

import { Errno } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import { BioFlag, NO_DATA, Op, recycleBio, takeBio } from '../../core/bio.ts';
import { ExtentFlag, ExtentList } from '../../core/extents.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import type { ByteRange } from '../data-plane/replica-runner.ts';
import { WriteRanges } from './write-ranges.ts';

/** What is asked about at a time while looking for data or a hole: bounds the list of a fragmented image. */
const SEEK_WINDOW_SECTORS = (1024 * 1024 * 1024) / SECTOR_BYTES;
/** Then what was not looked at counts as data. */
const SEEK_WINDOW_LIMIT = 4096;

interface BioFields {
  op: Op;
  flags?: number;
  data?: Uint8Array;
  dataOffset?: number;
  extents?: ExtentList;
}

/** Keeps threads from writing the device by themselves until the function that it answers is called. */
export type PauseThreads = () => Promise<() => void>;

/** All methods resolve with an errno, 0 for success; ranges lie on the device. */
export class DeviceIo {
  readonly #device: MappedDevice;
  readonly #pauseThreads: PauseThreads;
  readonly #writes = new WriteRanges();

  constructor(device: MappedDevice, pauseThreads: PauseThreads) {
    this.#device = device;
    this.#pauseThreads = pauseThreads;
  }

  get sizeBytes(): number {
    return this.#device.sizeSectors * SECTOR_BYTES;
  }

  async read(range: ByteRange, into: Uint8Array, at: number): Promise<number> {
    const whole = this.#wholeBlocks(range);
    if (isSame(whole, range))
      return this.#submit(range, { op: Op.read, data: into, dataOffset: at });
    const data = new Uint8Array(whole.lengthBytes);
    const errno = await this.#submit(whole, { op: Op.read, data });
    const skip = range.offsetBytes - whole.offsetBytes;
    if (errno === 0) into.set(data.subarray(skip, skip + range.lengthBytes), at);
    return errno;
  }

  async write(
    range: ByteRange,
    from: Uint8Array,
    at: number,
    options: { durable?: boolean } = {},
  ): Promise<number> {
    const flags = options.durable ? BioFlag.fua : 0;
    const whole = this.#wholeBlocks(range);
    if (isSame(whole, range)) {
      const fields = { op: Op.write, flags, data: from, dataOffset: at };
      return this.#writes.run(range, false, () => this.#submit(range, fields));
    }
    const bytes = from.subarray(at, at + range.lengthBytes);
    return this.#writes.run(whole, true, async () => {
      const goOn = await this.#pauseThreads();
      try {
        return await this.#writePartial(range, bytes, flags);
      } finally {
        goOn();
      }
    });
  }

  async #writePartial(range: ByteRange, bytes: Uint8Array, flags: number): Promise<number> {
    // Looked at now: another table may have come while this one waited.
    const { logicalBlockBytes } = this.#device.limits;
    const whole = this.#wholeBlocks(range);
    const data = new Uint8Array(whole.lengthBytes);
    const last = whole.lengthBytes - logicalBlockBytes;
    for (const at of new Set([0, last])) {
      const block = { offsetBytes: whole.offsetBytes + at, lengthBytes: logicalBlockBytes };
      const errno = await this.#submit(block, { op: Op.read, data, dataOffset: at });
      if (errno !== 0) return errno;
    }
    data.set(bytes, range.offsetBytes - whole.offsetBytes);
    return this.#submit(whole, { op: Op.write, flags, data });
  }

  /** Whole blocks by the device, which may deallocate them unless `keepAllocated`; the edges are written. */
  async zero(range: ByteRange, options: { keepAllocated: boolean }): Promise<number> {
    const { logicalBlockBytes } = this.#device.limits;
    const { offsetBytes } = range;
    const end = offsetBytes + range.lengthBytes;
    const first = Math.min(roundUp(offsetBytes, logicalBlockBytes), end);
    const last = Math.max(first, end - (end % logicalBlockBytes));
    const edges = [
      { offsetBytes, lengthBytes: first - offsetBytes },
      { offsetBytes: last, lengthBytes: end - last },
    ];
    for (const edge of edges) {
      if (edge.lengthBytes === 0) continue;
      const errno = await this.write(edge, new Uint8Array(edge.lengthBytes), 0);
      if (errno !== 0) return errno;
    }
    const middle = { offsetBytes: first, lengthBytes: last - first };
    const flags = options.keepAllocated ? BioFlag.noUnmap : 0;
    if (middle.lengthBytes === 0) return 0;
    return this.#writes.run(middle, false, () =>
      this.#submit(middle, { op: Op.writeZeroes, flags }),
    );
  }

  flush(): Promise<number> {
    return this.#submit({ offsetBytes: 0, lengthBytes: 0 }, { op: Op.flush });
  }

  /**
   * Where the next byte from `offsetBytes` is that is data, or else in a hole; the end of the device counts as a hole.
   * A negative errno otherwise: -ENXIO when there is none.
   */
  async seek(offsetBytes: number, wanted: 'data' | 'hole'): Promise<number> {
    const sizeSectors = this.#device.sizeSectors;
    if (offsetBytes >= this.sizeBytes) return -Errno.ENXIO;
    let sector = Math.floor(offsetBytes / SECTOR_BYTES);
    for (let count = 0; sector < sizeSectors; count += 1) {
      if (count === SEEK_WINDOW_LIMIT && wanted === 'data') return sector * SECTOR_BYTES;
      if (count === SEEK_WINDOW_LIMIT) break;
      const windowSectors = Math.min(sizeSectors - sector, SEEK_WINDOW_SECTORS);
      const found = await this.#findExtent(sector, windowSectors, wanted);
      if (found >= 0) return Math.max(offsetBytes, found * SECTOR_BYTES);
      sector += windowSectors;
    }
    return wanted === 'hole' ? this.sizeBytes : -Errno.ENXIO;
  }

  /** The first sector of that kind, or -1. What a device cannot tell counts as data. */
  async #findExtent(sector: number, sectorCount: number, wanted: 'data' | 'hole'): Promise<number> {
    const extents = new ExtentList();
    const range = {
      offsetBytes: sector * SECTOR_BYTES,
      lengthBytes: sectorCount * SECTOR_BYTES,
    };
    const errno = await this.#submit(range, { op: Op.blockStatus, extents });
    if (errno !== 0) extents.clear();
    const found = extents
      .normalized(sectorCount)
      .find(({ flags }) => ((flags & ExtentFlag.zero) !== 0) === (wanted === 'hole'));
    return found === undefined ? -1 : sector + found.offsetSectors;
  }

  #submit({ offsetBytes, lengthBytes }: ByteRange, fields: BioFields): Promise<number> {
    return new Promise((resolve) => {
      const bio = takeBio();
      bio.op = fields.op;
      bio.flags = fields.flags ?? 0;
      bio.device = this.#device;
      bio.sector = offsetBytes / SECTOR_BYTES;
      bio.sectorCount = lengthBytes / SECTOR_BYTES;
      bio.data = fields.data ?? NO_DATA;
      bio.dataOffset = fields.dataOffset ?? 0;
      bio.extents = fields.extents ?? null;
      bio.onEnd = (ended) => {
        const errno = ended.error;
        recycleBio(ended);
        resolve(errno);
      };
      this.#device.submit(bio);
    });
  }

  #wholeBlocks({ offsetBytes, lengthBytes }: ByteRange): ByteRange {
    const { logicalBlockBytes } = this.#device.limits;
    const start = offsetBytes - (offsetBytes % logicalBlockBytes);
    const end = roundUp(offsetBytes + lengthBytes, logicalBlockBytes);
    return { offsetBytes: start, lengthBytes: end - start };
  }
}

function isSame(one: ByteRange, other: ByteRange): boolean {
  return one.offsetBytes === other.offsetBytes && one.lengthBytes === other.lengthBytes;
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
