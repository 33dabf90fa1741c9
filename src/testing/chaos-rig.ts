/** A chaos target on a test disk of 64 sectors, and what tests do with it. */

import { SimulatedClock } from '../base/simulated-clock.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';
import { Op } from '../core/bio.ts';
import type { MappedDevice } from '../core/mapped-device.ts';
import { chaos } from '../targets/chaos/index.ts';
import { readSectors, submitBio } from './submit.ts';
import type { TestDisk } from './test-disk.ts';
import { World } from './world.ts';

const SIZE_SECTORS = 64;

export class ChaosRig {
  readonly clock = new SimulatedClock();
  readonly world = new World({
    clock: this.clock,
    types: [chaos],
    disks: { D: { sizeSectors: SIZE_SECTORS } },
  });
  readonly device: MappedDevice;

  private constructor() {
    this.device = this.world.mapper.create({ name: 'chaos' });
  }

  static async start(rules = ''): Promise<ChaosRig> {
    const rig = new ChaosRig();
    await rig.load(rules);
    await rig.device.resume();
    return rig;
  }

  async load(rules: string): Promise<void> {
    const words = rules === '' ? '' : ` ${rules.split(' ').length} ${rules}`;
    await this.world.load(this.device, `0 ${SIZE_SECTORS} chaos D 0${words}`);
  }

  get disk(): TestDisk {
    return this.world.disks.get('D');
  }

  /** The first byte of each of so many sectors below. */
  below(sector: number, count: number): number[] {
    return firstBytes(this.disk.bytes.subarray(sectorsToBytes(sector)), count);
  }

  /** Sectors that are full of one value, the next sector of the next if `step` is 1. */
  write(sector: number, value: number, count = 1, options: { flags?: number; step?: number } = {}) {
    const { flags = 0, step = 0 } = options;
    const data = new Uint8Array(sectorsToBytes(count)).map(
      (_, index) => value + step * Math.floor(index / SECTOR_BYTES),
    );
    return submitBio(this.device, { op: Op.write, sector, sectorCount: count, flags, data });
  }

  async read(sector: number, count = 1): Promise<number[]> {
    return firstBytes(await readSectors(this.device, sector, count), count);
  }

  /** The errno of a read. */
  tryRead(sector: number, count = 1): Promise<number> {
    const data = new Uint8Array(sectorsToBytes(count));
    return submitBio(this.device, { op: Op.read, sector, sectorCount: count, data });
  }

  flush(): Promise<number> {
    return submitBio(this.device, { op: Op.flush });
  }

  async message(text: string): Promise<string> {
    return (await this.device.message(0, text.split(' '))) ?? '';
  }

  get table(): string {
    return this.device.live!.rows[0]!.target.table();
  }

  get status(): string {
    return this.device.live!.rows[0]!.target.status!();
  }
}

function firstBytes(bytes: Uint8Array, count: number): number[] {
  return Array.from({ length: count }, (_, index) => bytes[sectorsToBytes(index)]!);
}

/** Whether the promise has settled once all that can go on has gone on. */
export async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  let open = true;
  const close = () => {
    open = false;
  };
  promise.then(close, close);
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  return open;
}
