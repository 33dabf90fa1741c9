/**
 * Answers BLOCK_STATUS. A request may cover the whole export and an image may be as fragmented as it likes, so the work
 * is bounded: the range is looked at window by window, and the answer ends early after enough windows or extents.
 */

import { SECTOR_BYTES } from '../../base/units.ts';
import { Op, recycleBio, takeBio } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import { ExtentList } from '../../core/extents.ts';
import { MappedDevice } from '../../core/mapped-device.ts';
import type { Row } from '../../core/table.ts';
import type { StatusExtent } from '../../protocols/nbd/chunk.ts';

/** Even if every other sector is a hole, a window has no more extents than this many sectors. */
const WINDOW_SECTORS = (64 * 1024 * 1024) / SECTOR_BYTES;
const WINDOW_COUNT_LIMIT = 256;
const EXTENT_COUNT_LIMIT = 16_384;

export interface StatusRange {
  sector: number;
  sectorCount: number;
  /** The client wants one extent only. */
  single: boolean;
}

/** Which parts are holes or zeroes. `done` gets one extent at least; what a device cannot tell counts as data. */
export function queryAllocation(
  device: BlockDevice,
  range: StatusRange,
  done: (extents: StatusExtent[]) => void,
): void {
  new AllocationQuery(device, range, done).run();
}

class AllocationQuery {
  readonly #device: BlockDevice;
  readonly #range: StatusRange;
  readonly #done: (extents: StatusExtent[]) => void;
  readonly #extents: StatusExtent[] = [];
  #coveredSectors = 0;
  #windowCount = 0;
  /** Bios that end at once are handled by the loop in `run`, so that many windows do not pile up on the stack. */
  #running = false;
  #waiting = false;

  constructor(device: BlockDevice, range: StatusRange, done: (extents: StatusExtent[]) => void) {
    this.#device = device;
    this.#range = range;
    this.#done = done;
  }

  run(): void {
    this.#running = true;
    while (!this.#waiting && !this.#isEnough()) this.#askNextWindow();
    this.#running = false;
    if (this.#waiting) return;
    const limit = this.#range.single ? 1 : EXTENT_COUNT_LIMIT;
    this.#done(this.#extents.slice(0, limit));
  }

  #isEnough(): boolean {
    const { sectorCount, single } = this.#range;
    return (
      this.#coveredSectors >= sectorCount ||
      this.#windowCount >= WINDOW_COUNT_LIMIT ||
      this.#extents.length >= (single ? 2 : EXTENT_COUNT_LIMIT)
    );
  }

  #askNextWindow(): void {
    const { sector, sectorCount } = this.#range;
    const bio = takeBio();
    bio.op = Op.blockStatus;
    bio.device = this.#device;
    bio.sector = sector + this.#coveredSectors;
    bio.sectorCount = Math.min(sectorCount - this.#coveredSectors, WINDOW_SECTORS);
    const extents = new ExtentList();
    bio.extents = extents;
    const windowSectors = bio.sectorCount;
    bio.onEnd = (ended) => {
      const known = ended.error === 0 ? extents : new ExtentList();
      recycleBio(ended);
      this.#append(known, windowSectors);
    };
    this.#waiting = true;
    this.#device.submit(bio);
  }

  #append(known: ExtentList, windowSectors: number): void {
    for (const { lengthSectors, flags } of known.normalized(windowSectors)) {
      const last = this.#extents.at(-1);
      const lengthBytes = lengthSectors * SECTOR_BYTES;
      if (last?.flags === flags) last.lengthBytes += lengthBytes;
      else this.#extents.push({ lengthBytes, flags });
    }
    this.#coveredSectors += windowSectors;
    this.#windowCount += 1;
    this.#waiting = false;
    if (!this.#running) this.run();
  }
}

/** Which row of the live table serves what: an extent per row, its number as status. */
export function queryTargets(device: BlockDevice, range: StatusRange): StatusExtent[] {
  const rows = device instanceof MappedDevice ? (device.live?.rows ?? []) : [];
  const limit = range.single ? 1 : EXTENT_COUNT_LIMIT;
  const end = range.sector + range.sectorCount;
  const extents: StatusExtent[] = [];
  let sector = range.sector;
  for (let index = findRow(rows, sector); extents.length < limit && sector < end; index += 1) {
    const stop = Math.min(rows[index]?.end ?? end, end);
    extents.push({ lengthBytes: (stop - sector) * SECTOR_BYTES, flags: index });
    sector = stop;
  }
  return extents;
}

/** The number of the row that holds `sector`; `rows.length` when none does. */
function findRow(rows: readonly Row[], sector: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows[middle]!.end > sector) high = middle;
    else low = middle + 1;
  }
  return low;
}
