/**
 * Memory as a disk: `mem:SIZE` or `mem:SIZE#NAME`, SIZE in bytes or with K, M, G or T (powers of 1024).
 *
 * Operands of one text are one disk, shared by all who use it and gone with its content when nobody does any more;
 * `#NAME` tells disks of one size apart. Everything ends at once, before `submit` returns.
 */

import { constants } from 'node:buffer';
import { totalmem } from 'node:os';
import { assert } from '../base/assert.ts';
import { DmError, Errno } from '../base/errors.ts';
import { bytesToSectors, formatBytes, SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';
import { quoteArgument } from '../core/arguments.ts';
import { type Bio, Op } from '../core/bio.ts';
import type { DeviceNumber, DirectAccess } from '../core/device.ts';
import { DEFAULT_LIMITS } from '../core/limits.ts';
import type { DeviceKind, LeafDevice } from './device-kind.ts';
import { isPrefetch, refusalOf } from './leaf-bio.ts';

const OPERAND = /^mem:(\d+)([KMGT]?)(?:#.+)?$/i;
const UNITS = ['', 'K', 'M', 'G', 'T'];

export interface MemoryDeviceOptions {
  sizeSectors: number;
  number: DeviceNumber;
  operand: string;
}

export class MemoryDevice implements LeafDevice {
  readonly number: DeviceNumber;
  readonly operand: string;
  readonly sizeSectors: number;
  readonly limits = DEFAULT_LIMITS;
  readonly readOnly = false;
  readonly direct: DirectAccess;
  readonly #bytes: Uint8Array;
  #closed = false;

  constructor(options: MemoryDeviceOptions) {
    this.number = options.number;
    this.operand = options.operand;
    this.sizeSectors = options.sizeSectors;
    const bytes = new SharedArrayBuffer(sectorsToBytes(options.sizeSectors));
    this.#bytes = new Uint8Array(bytes);
    this.direct = { kind: 'memory', bytes };
  }

  submit(bio: Bio): void {
    const error = this.#closed ? Errno.EIO : refusalOf(this, bio);
    if (error === 0) this.#perform(bio);
    bio.end(error);
  }

  #perform(bio: Bio): void {
    const start = sectorsToBytes(bio.sector);
    const end = start + bio.lengthBytes;
    switch (bio.op) {
      case Op.read:
        if (isPrefetch(bio)) return;
        bio.data.set(this.#bytes.subarray(start, end), bio.dataOffset);
        return;
      case Op.write:
        this.#bytes.set(bio.data.subarray(bio.dataOffset, bio.dataOffset + end - start), start);
        return;
      case Op.discard:
      case Op.writeZeroes:
        this.#bytes.fill(0, start, end);
        return;
      case Op.flush:
      case Op.blockStatus: // nothing described: all of it is data
        return;
      default:
        assert(false, `memory knows operation ${String(bio.op)}`);
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }
}

export const memoryKind: DeviceKind = {
  matches: (operand) => operand.startsWith('mem:'),
  key: (operand) => operand,
  open(operand, { number }) {
    const sizeSectors = bytesToSectors(parseSize(operand));
    try {
      return new MemoryDevice({ sizeSectors, number, operand: quoteArgument(operand) });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new DmError('ENOMEM', `Cannot create memory disk "${operand}": out of memory`, {
        cause: error,
      });
    }
  },
};

function parseSize(operand: string): number {
  const refuse = (reason: string) =>
    new DmError('EINVAL', `Cannot create memory disk "${operand}": ${reason}`);
  const match = OPERAND.exec(operand);
  if (!match) {
    throw refuse('expected mem:SIZE or mem:SIZE#NAME, SIZE in bytes or with K, M, G or T');
  }
  const [, digits = '', unit = ''] = match;
  const bytes = Number(digits) * 1024 ** UNITS.indexOf(unit.toUpperCase());
  if (bytes === 0) throw refuse('expected a size above 0');
  if (bytes % SECTOR_BYTES !== 0) {
    throw refuse(`expected a multiple of ${SECTOR_BYTES} bytes, got ${bytes}`);
  }
  const limitBytes = Math.min(constants.MAX_LENGTH, totalmem());
  if (bytes > limitBytes) throw refuse(`expected at most ${formatBytes(limitBytes)}`);
  return bytes;
}
