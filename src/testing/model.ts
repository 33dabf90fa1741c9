/** What a device must do, said sector by sector over byte arrays, and random requests that are held against it. */

import { Errno, errnoName } from '../base/errors.ts';
import type { Prng } from '../base/prng.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';
import { BioFlag, OP_NAMES, Op } from '../core/bio.ts';
import type { BlockDevice } from '../core/device.ts';
import { type Extent, ExtentFlag, ExtentList } from '../core/extents.ts';
import { type BioRequest, submitBio } from './submit.ts';
import { isZeroSector } from './test-disk.ts';

/** Where a sector of the device is: on some disk, nowhere (reads zeroes, takes writes), or in a row that fails. */
export type Place = { bytes: Uint8Array; sector: number } | 'zero' | 'error';

/** A request with the sectors it is about always given. */
export interface ModelRequest extends BioRequest {
  sector: number;
  sectorCount: number;
}

export interface ModelOptions {
  /** What is on a disk is data, whatever its bytes. */
  readonly hidesHoles?: boolean;
  /** No discard gets to a disk. */
  readonly refusesDiscards?: boolean;
}

export class Model {
  readonly places: readonly Place[];
  readonly #hidesHoles: boolean;
  readonly #refusesDiscards: boolean;

  constructor(places: readonly Place[], options: ModelOptions = {}) {
    this.places = places;
    this.#hidesHoles = options.hidesHoles ?? false;
    this.#refusesDiscards = options.refusesDiscards ?? false;
  }

  errnoOf(request: ModelRequest): number {
    if (request.op === Op.flush) return 0;
    const range = this.#range(request);
    if (this.#isOutside(request) || range.includes('error')) return Errno.EIO;
    const isDiscard = request.op === Op.discard && this.#refusesDiscards;
    return isDiscard && range.some((place) => typeof place === 'object') ? Errno.ENOTSUP : 0;
  }

  /** Nothing of a request that reaches beyond the device is done. */
  #isOutside({ sector, sectorCount }: { sector: number; sectorCount: number }): boolean {
    return sector + sectorCount > this.places.length;
  }

  /** The bytes a read of the range must give. */
  read(request: ModelRequest): Uint8Array {
    const result = new Uint8Array(sectorsToBytes(request.sectorCount));
    this.#range(request).forEach((place, index) => {
      if (typeof place === 'object') result.set(bytesOf(place), sectorsToBytes(index));
    });
    return result;
  }

  extents(request: ModelRequest): Extent[] {
    const list = new ExtentList();
    this.#range(request).forEach((place, index) => {
      const isData =
        typeof place === 'object' && (this.#hidesHoles || !isZeroSector(place.bytes, place.sector));
      list.add(index, 1, isData ? 0 : ExtentFlag.hole | ExtentFlag.zero);
    });
    return list.normalized(request.sectorCount);
  }

  /** What a write, discard or write-zeroes that has ended left behind. A failed one still did its other rows. */
  apply({ op, data, dataOffset = 0, ...range }: ModelRequest): void {
    if (this.#isOutside(range)) return;
    this.#range(range).forEach((place, index) => {
      if (typeof place !== 'object' || (op === Op.discard && this.#refusesDiscards)) return;
      const offset = dataOffset + sectorsToBytes(index);
      if (op === Op.write) bytesOf(place).set(data!.subarray(offset, offset + SECTOR_BYTES));
      else if (op === Op.discard || op === Op.writeZeroes) bytesOf(place).fill(0);
    });
  }

  #range({ sector, sectorCount }: { sector: number; sectorCount: number }): Place[] {
    return this.places.slice(sector, sector + sectorCount);
  }
}

function bytesOf({ bytes, sector }: { bytes: Uint8Array; sector: number }): Uint8Array {
  return bytes.subarray(sectorsToBytes(sector), sectorsToBytes(sector + 1));
}

const OPS = [
  Op.read,
  Op.read,
  Op.write,
  Op.write,
  Op.discard,
  Op.writeZeroes,
  Op.blockStatus,
  Op.flush,
];
const FLAGS_OF = {
  [Op.read]: [0],
  [Op.write]: [0, BioFlag.fua],
  [Op.flush]: [0],
  [Op.discard]: [0],
  [Op.writeZeroes]: [0, BioFlag.noUnmap, BioFlag.fua],
  [Op.blockStatus]: [0],
};

/** Any request of whole blocks that fits, with its data anywhere in its buffer. Half of them are short, the rest of any length. */
export function randomRequest(prng: Prng, device: BlockDevice): ModelRequest {
  const op = prng.pick(OPS);
  const flags = prng.pick(FLAGS_OF[op]);
  if (op === Op.flush) return { op, flags, sector: 0, sectorCount: 0 };
  const blockSectors = device.limits.logicalBlockBytes / SECTOR_BYTES;
  const blocks = Math.floor(device.sizeSectors / blockSectors);
  const blockCount = prng.integer(1, prng.chance(0.5) ? Math.min(blocks, 8) : blocks);
  const sectorCount = blockCount * blockSectors;
  const sector = prng.integer(0, blocks - blockCount) * blockSectors;
  if (op !== Op.read && op !== Op.write) {
    const extents = new ExtentList();
    return { op, flags, sector, sectorCount, ...(op === Op.blockStatus && { extents }) };
  }
  const dataOffset = prng.pick([0, 0, 1, 512, 777]);
  const data = prng.fill(new Uint8Array(dataOffset + sectorsToBytes(sectorCount) + 16));
  return { op, flags, sector, sectorCount, data, dataOffset };
}

export function describeRequest({ op, sector, sectorCount }: ModelRequest): string {
  return `${OP_NAMES[op]} of ${sectorCount} sectors at ${sector}`;
}

/** Submits the request and compares what comes back with the model of the moment when it ended. Throws at a difference. */
export async function performChecked(
  device: BlockDevice,
  request: ModelRequest,
  modelAtEnd: () => Model,
): Promise<void> {
  const before = request.data?.slice();
  const errno = await submitBio(device, request);
  const model = modelAtEnd();
  const expected = model.errnoOf(request);
  if (errno !== expected) {
    const names = `expected ${errnoName(expected)}, got ${errnoName(errno)}`;
    throw new Error(`${describeRequest(request)}: ${names}`);
  }
  if (before) {
    if (request.op === Op.read && errno === 0) before.set(model.read(request), request.dataOffset);
    else if (request.op === Op.read) keepFailedPart(before, request);
    checkBytes(`Data of a ${describeRequest(request)}`, request.data!, before);
  } else if (request.op === Op.blockStatus && errno === 0) {
    const got = JSON.stringify(request.extents!.normalized(request.sectorCount));
    const wanted = JSON.stringify(model.extents(request));
    if (got !== wanted) {
      throw new Error(`${describeRequest(request)}: expected ${wanted}, got ${got}`);
    }
  }
  model.apply(request);
}

/** A failed read may have written anything into its own part of the buffer, and nothing outside it. */
function keepFailedPart(before: Uint8Array, { data, dataOffset = 0, sectorCount }: ModelRequest) {
  before.set(data!.subarray(dataOffset, dataOffset + sectorsToBytes(sectorCount)), dataOffset);
}

export function checkBytes(what: string, got: Uint8Array, wanted: Uint8Array): void {
  if (Buffer.compare(got, wanted) === 0) return;
  const index = got.findIndex((byte, position) => byte !== wanted[position]);
  const values = `expected ${String(wanted[index])}, got ${String(got[index])}`;
  const where = `byte ${index} (sector ${Math.floor(index / SECTOR_BYTES)})`;
  throw new Error(`${what}: ${where} of ${wanted.length}: ${values}`);
}
