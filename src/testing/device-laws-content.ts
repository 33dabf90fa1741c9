/** Laws about what is read after what was written. */

import { Errno, errnoName } from '../base/errors.ts';
import type { Prng } from '../base/prng.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';
import { BioFlag, Op } from '../core/bio.ts';
import type { BlockDevice } from '../core/device.ts';
import { ExtentFlag, ExtentList } from '../core/extents.ts';
import { beginPlug, endPlug } from '../core/plug.ts';
import { inTime, runBio, startBio } from './device-io.ts';
import type { DeviceLaw } from './device-laws.ts';

const MAX_SECTORS = 300;
/** A prime. */
const PATTERN_BYTES = 10_007;

interface Range {
  sector: number;
  sectorCount: number;
}

export function check(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Error(problem);
}

export function checkErrno(errno: number, expected: number, what: string): void {
  check(errno === expected, `${what}: expected ${errnoName(expected)}, got ${errnoName(errno)}`);
}

/** A range on the device's blocks, of at least one. */
export function randomRange(device: BlockDevice, prng: Prng, maxSectors = MAX_SECTORS): Range {
  const block = device.limits.logicalBlockBytes / SECTOR_BYTES;
  const blocks = device.sizeSectors / block;
  const blockCount = prng.integer(1, Math.max(1, Math.floor(maxSectors / block)));
  const first = prng.integer(0, blocks - blockCount);
  return { sector: first * block, sectorCount: blockCount * block };
}

/** Random bytes with something before and behind them, in memory of either kind or a part of it. */
function randomData(prng: Prng, { sectorCount }: Range): { data: Uint8Array; dataOffset: number } {
  const dataOffset = prng.pick([0, 512, 1000]);
  const length = dataOffset + sectorsToBytes(sectorCount) + prng.pick([0, 100]);
  const before = prng.pick([0, 0, 64]);
  const memory = prng.chance(0.5)
    ? new SharedArrayBuffer(before + length)
    : new ArrayBuffer(before + length);
  return { data: fillFast(prng, new Uint8Array(memory, before)), dataOffset };
}

/** Random bytes that repeat, but with no period that a device could have. */
function fillFast(prng: Prng, bytes: Uint8Array): Uint8Array {
  const pattern = prng.fill(new Uint8Array(Math.min(PATTERN_BYTES, bytes.byteLength)));
  for (let at = 0; at < bytes.byteLength; at += pattern.byteLength) {
    bytes.set(pattern.subarray(0, bytes.byteLength - at), at);
  }
  return bytes;
}

/** The device's content as it must be. */
class Model {
  readonly bytes: Uint8Array;
  readonly #device: BlockDevice;

  constructor(device: BlockDevice) {
    this.#device = device;
    this.bytes = new Uint8Array(sectorsToBytes(device.sizeSectors));
  }

  async write(prng: Prng, range: Range, flags = 0): Promise<void> {
    const { data, dataOffset } = randomData(prng, range);
    const before = data.slice();
    const what = `write ${range.sector}+${range.sectorCount}`;
    checkErrno(
      await runBio(this.#device, { op: Op.write, flags, ...range, data, dataOffset }),
      0,
      what,
    );
    checkSame(data, before, `the memory of a ${what}`);
    this.bytes.set(
      data.subarray(dataOffset, dataOffset + sectorsToBytes(range.sectorCount)),
      sectorsToBytes(range.sector),
    );
    // A device that kept a reference instead of a copy sees this.
    data.fill(0xee);
  }

  zero(range: Range): void {
    const start = sectorsToBytes(range.sector);
    this.bytes.fill(0, start, start + sectorsToBytes(range.sectorCount));
  }

  async checkRange(prng: Prng, range: Range): Promise<void> {
    const { data, dataOffset } = randomData(prng, range);
    const expected = data.slice();
    const start = sectorsToBytes(range.sector);
    const length = sectorsToBytes(range.sectorCount);
    expected.set(this.bytes.subarray(start, start + length), dataOffset);
    const what = `read ${range.sector}+${range.sectorCount}`;
    checkErrno(await runBio(this.#device, { op: Op.read, ...range, data, dataOffset }), 0, what);
    checkSame(data, expected, `${what} at byte ${dataOffset} of its memory`);
  }

  async checkAll(prng: Prng): Promise<void> {
    const { sizeSectors } = this.#device;
    for (let sector = 0; sector < sizeSectors; sector += 2048) {
      const sectorCount = Math.min(2048, sizeSectors - sector);
      await this.checkRange(prng, { sector, sectorCount });
    }
  }
}

function checkSame(got: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(got, expected) === 0) return;
  const index = expected.findIndex((byte, at) => byte !== got[at]);
  throw new Error(`${what}: byte ${index}: expected ${expected[index]}, got ${got[index]}`);
}

const readBack: DeviceLaw = {
  name: 'reads what was written, in any memory, and touches no other byte',
  async check({ device, prng }) {
    const model = new Model(device);
    for (let i = 0; i < 40; i += 1) {
      await model.write(prng, randomRange(device, prng), prng.chance(0.2) ? BioFlag.fua : 0);
      await model.checkRange(prng, randomRange(device, prng));
    }
    await model.checkAll(prng);
  },
};

const large: DeviceLaw = {
  name: 'moves requests of megabytes',
  async check({ device, prng }) {
    const model = new Model(device);
    await model.write(prng, { sector: 0, sectorCount: device.sizeSectors });
    await model.checkRange(prng, { sector: 0, sectorCount: device.sizeSectors });
  },
};

/** Pieces of one run, in random order or not, held back by a plug or not, each from memory of its own. */
const many: DeviceLaw = {
  name: 'keeps many bios apart that are under way at once, plugged or not',
  async check({ device, prng }) {
    const block = device.limits.logicalBlockBytes / SECTOR_BYTES;
    for (const plugged of [false, true]) {
      for (const op of [Op.write, Op.read] as const) {
        await manyAtOnce(device, { op, plugged, pieceSectors: 8 * block, prng });
      }
    }
  },
};

async function manyAtOnce(
  device: BlockDevice,
  options: { op: Op; plugged: boolean; pieceSectors: number; prng: Prng },
): Promise<void> {
  const { op, plugged, pieceSectors, prng } = options;
  const pieces = Array.from({ length: 64 }, (_, index) => ({
    sector: index * pieceSectors,
    sectorCount: pieceSectors,
    data: new Uint8Array(sectorsToBytes(pieceSectors)).fill(op === Op.write ? index + 1 : 0),
  }));
  const order = prng.chance(0.5) ? pieces : pieces.toSorted(() => prng.float() - 0.5);
  if (plugged) beginPlug();
  const started = order.map((piece) => startBio(device, { op, ...piece }));
  if (plugged) endPlug();
  const ends = Promise.all(started.map(({ ended }) => ended));
  const errors = await inTime(ends, `not all of ${started.length} bios ended`);
  check(
    errors.every((errno) => errno === 0),
    `one of many bios failed: ${errors.join(' ')}`,
  );
  check(
    started.every(({ bio }) => bio.endCount === 1),
    'a bio among many ended twice',
  );
  for (const { sector, data } of pieces) {
    const expected = new Uint8Array(data.byteLength).fill(sector / pieceSectors + 1);
    checkSame(data, expected, `piece at ${sector} of many`);
  }
}

const zeroes: DeviceLaw = {
  name: 'writes zeroes there and nowhere else, however it is asked to',
  async check({ device, prng }) {
    const model = new Model(device);
    await model.write(prng, { sector: 0, sectorCount: device.sizeSectors });
    for (const flags of [0, BioFlag.noUnmap, BioFlag.fua, BioFlag.noUnmap | BioFlag.fua]) {
      const range = randomRange(device, prng);
      checkErrno(await runBio(device, { op: Op.writeZeroes, flags, ...range }), 0, 'write zeroes');
      model.zero(range);
    }
    for (const flags of [BioFlag.fastZero, BioFlag.fastZero | BioFlag.noUnmap]) {
      const range = randomRange(device, prng);
      const errno = await runBio(device, { op: Op.writeZeroes, flags, ...range });
      check(errno === 0 || errno === Errno.ENOTSUP, `fast zeroes: got ${errnoName(errno)}`);
      if (errno === 0) model.zero(range);
    }
    await model.checkAll(prng);
  },
};

const discard: DeviceLaw = {
  name: 'discards there and nowhere else, or says beforehand that it cannot',
  async check({ device, prng }) {
    const model = new Model(device);
    await model.write(prng, { sector: 0, sectorCount: device.sizeSectors });
    const supported = device.limits.discardGranularityBytes > 0;
    for (let i = 0; i < 4; i += 1) {
      const range = randomRange(device, prng);
      const errno = await runBio(device, { op: Op.discard, ...range });
      checkErrno(errno, supported ? 0 : Errno.ENOTSUP, 'discard');
      // What was discarded may read as anything: give it content again.
      if (supported) await model.write(prng, range);
    }
    await model.checkAll(prng);
  },
};

/** Sees each part as the device adds it, where `normalized` would cut off what is too much. */
class WatchedExtents extends ExtentList {
  endSectors = 0;

  override add(offsetSectors: number, lengthSectors: number, flags: number): void {
    check(offsetSectors >= 0, `an extent begins at ${offsetSectors}`);
    this.endSectors = Math.max(this.endSectors, offsetSectors + lengthSectors);
    super.add(offsetSectors, lengthSectors, flags);
  }
}

const status: DeviceLaw = {
  name: 'calls nothing a hole or zero that holds data, and describes no more than was asked about',
  async check({ device, prng }) {
    const model = new Model(device);
    for (let i = 0; i < 6; i += 1) await model.write(prng, randomRange(device, prng));
    const range = randomRange(device, prng);
    if (device.limits.discardGranularityBytes > 0) {
      checkErrno(await runBio(device, { op: Op.writeZeroes, ...range }), 0, 'write zeroes');
      model.zero(range);
    }
    await checkStatus(device, model.bytes, { sector: 0, sectorCount: device.sizeSectors });
    for (let i = 0; i < 8; i += 1) {
      await checkStatus(device, model.bytes, randomRange(device, prng, device.sizeSectors / 2));
    }
  },
};

async function checkStatus(device: BlockDevice, content: Uint8Array, range: Range): Promise<void> {
  const extents = new WatchedExtents();
  checkErrno(await runBio(device, { op: Op.blockStatus, ...range, extents }), 0, 'block status');
  check(extents.endSectors <= range.sectorCount, `extents end at ${extents.endSectors}`);
  for (const extent of extents.normalized(range.sectorCount)) {
    if ((extent.flags & ExtentFlag.zero) === 0) continue;
    const start = sectorsToBytes(range.sector + extent.offsetSectors);
    const part = content.subarray(start, start + sectorsToBytes(extent.lengthSectors));
    const at = part.findIndex((byte) => byte !== 0);
    check(at < 0, `byte ${start + at} is said to be zero and is not`);
  }
}

const prefetch: DeviceLaw = {
  name: 'takes a prefetch, which has no memory, as a hint',
  async check({ device, prng }) {
    const model = new Model(device);
    await model.write(prng, { sector: 0, sectorCount: 256 });
    const flags = BioFlag.prefetch;
    for (const range of [
      randomRange(device, prng),
      { sector: 0, sectorCount: device.sizeSectors },
    ]) {
      checkErrno(await runBio(device, { op: Op.read, flags, ...range }), 0, 'prefetch');
    }
    await model.checkAll(prng);
  },
};

export const contentLaws: readonly DeviceLaw[] = [
  readBack,
  large,
  many,
  zeroes,
  discard,
  status,
  prefetch,
];
