/**
 * One row of a snapshot-origin table: a device as it is, whose snapshots get what is about to be overwritten.
 * Source: Documentation/admin-guide/device-mapper/snapshot.rst
 */

import { Errno } from '../../base/errors.ts';
import type { ArgumentReader } from '../../core/arguments.ts';
import { type Bio, BioFlag, Op } from '../../core/bio.ts';
import type { BlockDevice, DeviceRange } from '../../core/device.ts';
import type { Limits } from '../../core/limits.ts';
import type { MapResult, PassThrough, Target, TargetContext } from '../../core/target.ts';
import type { Origin } from './origin.ts';
import { Origins } from './origins.ts';
import { endWith, pieceSectors } from './row.ts';

export class OriginTarget implements Target {
  readonly #device: BlockDevice;
  readonly #context: TargetContext;
  readonly #origins: Origins;
  readonly #place: Origin;

  constructor(args: ArgumentReader, context: TargetContext) {
    args.expectCount(args.count === 1, 'origin: incorrect number of arguments');
    this.#device = args.open(args.word('origin'), 'Cannot get target device');
    this.#context = context;
    this.#origins = context.environment.shared(Origins);
    this.#place = this.#origins.use(this.#device, context.memory);
  }

  get maxWriteSectors(): number {
    return pieceSectors(this.#context.start, this.#place.splitSectors);
  }

  map(bio: Bio): MapResult {
    bio.device = this.#device;
    if (!bio.isWrite) return 'remapped';
    const isRefused = bio.op === Op.discard || (bio.flags & BioFlag.fastZero) !== 0;
    if (isRefused) return endWith(bio, Errno.ENOTSUP);
    return this.#place.beginWrite(bio) ? 'remapped' : 'submitted';
  }

  end(bio: Bio): void {
    if (bio.isWrite) this.#place.endWrite();
  }

  passThrough(): PassThrough {
    return { device: this.#device, sectors: 0, ops: 'reads' };
  }

  table(): string {
    return this.#device.operand;
  }

  devices(): DeviceRange[] {
    const { start, length } = this.#context;
    return [{ device: this.#device, startSectors: start, lengthSectors: length }];
  }

  limits(stacked: Limits): Limits {
    return { ...stacked, discardGranularityBytes: 0 };
  }

  close(): void {
    this.#origins.giveBack(this.#device, this.#place);
  }
}
