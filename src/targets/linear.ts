/** linear: a run of one device, moved. `<device> <offset>`. Source: Documentation/admin-guide/device-mapper/linear.rst */

import type { ArgumentReader } from '../core/arguments.ts';
import type { Bio } from '../core/bio.ts';
import { type BlockDevice, formatDeviceNumber } from '../core/device.ts';
import type { Target, TargetContext, TargetType } from '../core/target.ts';

/** A class, not closures: tables have tens of thousands of them. */
class Linear implements Target {
  readonly shift: { readonly device: BlockDevice; readonly sectors: number };
  readonly #offset: number;
  readonly #lengthSectors: number;

  constructor(args: ArgumentReader, { start, length }: TargetContext) {
    args.expectCount(args.count === 2);
    const operand = args.word('device');
    this.#offset = args.sectors('offset', 'Invalid device sector');
    this.#lengthSectors = length;
    this.shift = { device: args.open(operand), sectors: this.#offset - start };
  }

  map(bio: Bio): 'remapped' {
    bio.device = this.shift.device;
    bio.sector += this.shift.sectors;
    return 'remapped';
  }

  table(): string {
    return `${this.shift.device.operand} ${this.#offset}`;
  }

  measure(): string {
    return `device_name=${formatDeviceNumber(this.shift.device.number)},start=${this.#offset}`;
  }

  devices() {
    const { device } = this.shift;
    return [{ device, startSectors: this.#offset, lengthSectors: this.#lengthSectors }];
  }
}

export const linear: TargetType = {
  name: 'linear',
  version: [1, 5, 0],
  usage: '<device> <offset>',
  summary: 'maps to a run of another device',
  features: ['stateless'],
  create: (args, context) => new Linear(args, context),
};
