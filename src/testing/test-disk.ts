/**
 * Disks for tests of the core and of targets: sizes and limits as the test says, every bio recorded and checked, and answered
 * at once, later, or with a failure.
 */

import { assert } from '../base/assert.ts';
import { DmError } from '../base/errors.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';
import { type Bio, BioFlag, OP_NAMES, Op } from '../core/bio.ts';
import type { BlockDevice, DeviceNumber } from '../core/device.ts';
import type { DeviceOpener, OpenedDevice } from '../core/device-opener.ts';
import { ExtentFlag } from '../core/extents.ts';
import { DEFAULT_LIMITS, type Limits } from '../core/limits.ts';

/** Sectors up to which a disk really keeps its bytes; a larger one only records what it is asked. */
const STORED_SECTORS = 2 ** 16;
const TEST_MAJOR = 7;

export interface TestDiskOptions {
  sizeSectors?: number;
  limits?: Partial<Limits>;
  readOnly?: boolean;
}

export interface RecordedBio {
  op: (typeof OP_NAMES)[number];
  sector: number;
  sectorCount: number;
  flags: number;
}

export class TestDisk implements BlockDevice {
  readonly operand: string;
  readonly number: DeviceNumber;
  readonly limits: Limits;
  readonly readOnly: boolean;
  readonly bytes: Uint8Array;
  sizeSectors: number;
  /** Newest last. */
  recorded: RecordedBio[] = [];
  inFlightCount = 0;
  /** The errno a bio is to end with, 0 for success; nothing is done for one that fails. */
  failure: (bio: Bio) => number = () => 0;
  /** Runs `finish` now or at any later time. */
  answer: (finish: () => void, bio: Bio) => void = (finish) => finish();

  constructor(operand: string, number: DeviceNumber, options: TestDiskOptions = {}) {
    this.operand = operand;
    this.number = number;
    this.sizeSectors = options.sizeSectors ?? 2 ** 40;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.readOnly = options.readOnly ?? false;
    const isStored = this.sizeSectors <= STORED_SECTORS;
    this.bytes = new Uint8Array(isStored ? sectorsToBytes(this.sizeSectors) : 0);
  }

  submit(bio: Bio): void {
    this.#check(bio);
    const { op, sector, sectorCount, flags } = bio;
    this.recorded.push({ op: OP_NAMES[op], sector, sectorCount, flags });
    this.inFlightCount += 1;
    const finish = () => {
      this.inFlightCount -= 1;
      const errno = this.failure(bio);
      if (errno === 0) this.#perform(bio);
      bio.end(errno);
    };
    this.answer(finish, bio);
  }

  #check(bio: Bio): void {
    const what = `${OP_NAMES[bio.op]} of ${bio.sectorCount} sectors at ${bio.sector}`;
    assert(bio.device === this, `${what} came to the device it names`);
    if (bio.op === Op.flush) {
      assert(bio.sectorCount === 0, `a flush has no sectors, got ${what}`);
      return;
    }
    const end = bio.sector + bio.sectorCount;
    const blockSectors = this.limits.logicalBlockBytes / SECTOR_BYTES;
    assert(bio.sectorCount > 0, `${what} is not empty`);
    assert(bio.sector >= 0 && end <= this.sizeSectors, `${what} lies on ${this.operand}`);
    assert(bio.sector % blockSectors === 0 && end % blockSectors === 0, `${what} is whole blocks`);
    const hasData = bio.op === Op.write || (bio.op === Op.read && !(bio.flags & BioFlag.prefetch));
    const dataEnd = bio.dataOffset + bio.lengthBytes;
    assert(!hasData || dataEnd <= bio.data.length, `${what} lies in its data`);
  }

  #perform(bio: Bio): void {
    const isStored = this.bytes.length > 0;
    const area = this.bytes.subarray(sectorsToBytes(bio.sector)).subarray(0, bio.lengthBytes);
    const data = bio.data.subarray(bio.dataOffset, bio.dataOffset + bio.lengthBytes);
    if (bio.op === Op.read && !(bio.flags & BioFlag.prefetch)) data.set(area);
    else if (bio.op === Op.write && isStored) area.set(data);
    else if (bio.op === Op.discard || bio.op === Op.writeZeroes) area.fill(0);
    else if (bio.op === Op.blockStatus) describeArea(bio, area);
  }
}

/** Sectors of zeroes are holes, which a model can tell from the bytes alone. */
function describeArea(bio: Bio, area: Uint8Array): void {
  for (let sector = 0; sector < bio.sectorCount; sector += 1) {
    const isZero = isZeroSector(area, sector);
    bio.extents?.add(sector, 1, isZero ? ExtentFlag.hole | ExtentFlag.zero : 0);
  }
}

export function isZeroSector(bytes: Uint8Array, sector: number): boolean {
  const start = sectorsToBytes(sector);
  return bytes.subarray(start, start + SECTOR_BYTES).every((byte) => byte === 0);
}

/** Opens disks by name: those it was given, and any other capital letter as a large disk that keeps no bytes. */
export class TestDisks implements DeviceOpener {
  readonly #disks = new Map<string, TestDisk>();
  /** What is open and was not released. */
  openCount = 0;
  /** Operands that were prepared, in order. */
  prepared: string[] = [];

  constructor(disks: Readonly<Record<string, TestDiskOptions>> = {}) {
    for (const [name, options] of Object.entries(disks)) this.add(name, options);
  }

  add(name: string, options: TestDiskOptions = {}): TestDisk {
    const disk = new TestDisk(name, { major: TEST_MAJOR, minor: this.#disks.size }, options);
    this.#disks.set(name, disk);
    return disk;
  }

  get(name: string): TestDisk {
    const disk = this.#disks.get(name);
    if (disk) return disk;
    if (!/^[A-Z]$/.test(name)) throw new DmError('ENOENT', `No such device: "${name}"`);
    return this.add(name);
  }

  /** In the order they were added or first named. */
  all(): TestDisk[] {
    return [...this.#disks.values()];
  }

  prepare(operand: string): Promise<void> {
    this.prepared.push(operand);
    return Promise.resolve();
  }

  open(operand: string): OpenedDevice {
    const device = this.get(operand);
    this.openCount += 1;
    let isOpen = true;
    const release = () => {
      assert(isOpen, `${operand} is released once`);
      isOpen = false;
      this.openCount -= 1;
    };
    return { device, release };
  }
}
