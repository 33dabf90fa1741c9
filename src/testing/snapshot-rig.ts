/** Origins, snapshots and merges over simulated disks that lose power, for tests of their targets. */

import { assert } from '../base/assert.ts';
import { Errno } from '../base/errors.ts';
import { createPrng, type Prng } from '../base/prng.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { SECTOR_BYTES } from '../base/units.ts';
import type { Bio } from '../core/bio.ts';
import type { BlockDevice } from '../core/device.ts';
import type { MappedDevice } from '../core/mapped-device.ts';
import { Mapper } from '../core/mapper.ts';
import { parseTable } from '../core/table-text.ts';
import { createTargetRegistry } from '../core/target.ts';
import { SimulatedDisk } from '../devices/simulated.ts';
import type { Latency } from '../devices/simulated-faults.ts';
import { targets } from '../targets/index.ts';

export interface SnapshotRigOptions {
  /** By letter. */
  sizes: Readonly<Record<string, number>>;
  seed?: number;
  latency?: Latency;
}

export class SnapshotRig {
  readonly clock = new SimulatedClock();
  readonly prng: Prng;
  readonly disks = new Map<string, SimulatedDisk>();
  /** What targets had to say. */
  readonly reports: string[] = [];
  mapper: Mapper;

  constructor({ sizes, seed = 1, latency }: SnapshotRigOptions) {
    this.prng = createPrng(seed);
    for (const [index, [operand, sizeSectors]] of Object.entries(sizes).entries()) {
      const { clock, prng } = this;
      const number = { major: 251, minor: index };
      const options = { operand, sizeSectors, number, clock, prng, ...(latency && { latency }) };
      this.disks.set(operand, new SimulatedDisk(options));
    }
    this.mapper = this.#createMapper();
  }

  /** Its devices are cut off when it is replaced: what it still had to do is never done. */
  #createMapper(): Mapper {
    const { clock, prng } = this;
    const registry = createTargetRegistry(targets);
    const connected = new Map<string, BlockDevice>();
    const isCurrent = () => this.mapper === mapper;
    const mapper: Mapper = new Mapper({
      registry,
      clock,
      prng,
      report: (message) => void this.reports.push(message),
      opener: {
        prepare: () => Promise.resolve(),
        open: (operand) => {
          const device = connected.get(operand) ?? connect(this.disk(operand), isCurrent);
          connected.set(operand, device);
          return { device, release: () => undefined };
        },
      },
    });
    return mapper;
  }

  disk(operand: string): SimulatedDisk {
    const disk = this.disks.get(operand);
    assert(disk !== undefined, `the test has a disk ${operand}`);
    return disk;
  }

  /** Fills each sector of a disk with a number of its own, from `first` on. */
  fill(operand: string, first: number): void {
    const disk = this.disk(operand);
    disk.poke(0, numberedSectors(first, disk.sizeSectors));
  }

  /** While it waits, time passes. */
  async run<T>(action: Promise<T>): Promise<T> {
    const state = { isDone: false };
    const done = action.finally(() => {
      state.isDone = true;
    });
    done.catch(() => undefined);
    for (let round = 0; !state.isDone; round += 1) {
      assert(round < 100_000, 'what a test waits for ends');
      await this.clock.advance(1);
    }
    return await done;
  }

  async start(name: string, table: string): Promise<MappedDevice> {
    const device = this.mapper.find(name) ?? this.mapper.create({ name });
    await this.load(name, table);
    await this.run(device.resume());
    return device;
  }

  async load(name: string, table: string): Promise<void> {
    const device = this.mapper.find(name) ?? this.mapper.create({ name });
    const rows = parseTable(table);
    // Modules load in no simulated time.
    for (const { type } of rows) await this.mapper.registry.get(type)?.prepare?.();
    await this.run(this.mapper.load(device, rows));
  }

  status(name: string): string {
    return this.mapper.get(name).live!.rows[0]!.target.status!();
  }

  /** The power of all disks fails and comes back: nothing of the mapper is left. */
  crash(): void {
    // First, so that it does not answer the failure of one disk on another.
    this.mapper = this.#createMapper();
    for (const disk of this.disks.values()) disk.crash();
    for (const disk of this.disks.values()) disk.powerOn();
  }
}

function connect(disk: SimulatedDisk, isConnected: () => boolean): BlockDevice {
  const { number, operand, sizeSectors, limits, readOnly } = disk;
  return {
    number,
    operand,
    sizeSectors,
    limits,
    readOnly,
    submit(bio: Bio) {
      if (isConnected()) disk.submit(bio);
      else bio.end(Errno.EIO);
    },
  };
}

/** Sectors that say which they are in their first bytes. */
export function numberedSectors(first: number, sectorCount: number): Uint8Array {
  const bytes = new Uint8Array(sectorCount * SECTOR_BYTES);
  const numbers = new Uint32Array(bytes.buffer);
  for (let sector = 0; sector < sectorCount; sector += 1) {
    numbers.fill(first + sector, sector * 128, (sector + 1) * 128);
  }
  return bytes;
}

/** The number of each sector; NaN for one that is not whole. */
export function numbersOf(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.byteLength / SECTOR_BYTES }, (_, sector) => {
    const words = new Uint32Array(bytes.slice(sector * 512, (sector + 1) * 512).buffer);
    return words.every((word) => word === words[0]) ? words[0]! : Number.NaN;
  });
}
