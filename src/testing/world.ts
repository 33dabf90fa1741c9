/** A Mapper with test disks below it and the targets a test wants, for tests of the core. */

import type { Clock } from '../base/clock.ts';
import type { Prng } from '../base/prng.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import type { MappedDevice } from '../core/mapped-device.ts';
import { Mapper } from '../core/mapper.ts';
import { parseTable } from '../core/table-text.ts';
import { createTargetRegistry, type TargetType } from '../core/target.ts';
import { targets } from '../targets/index.ts';
import { type TestDiskOptions, TestDisks } from './test-disk.ts';

export class World {
  readonly disks: TestDisks;
  readonly mapper: Mapper;
  readonly clock: Clock;

  constructor(
    options: {
      disks?: Readonly<Record<string, TestDiskOptions>>;
      types?: readonly TargetType[];
      clock?: Clock;
      prng?: Prng;
      report?: (message: string) => void;
    } = {},
  ) {
    this.disks = new TestDisks(options.disks);
    this.clock = options.clock ?? new SimulatedClock();
    const registry = createTargetRegistry([...targets, ...(options.types ?? [])]);
    const { prng, report } = options;
    const { disks: opener, clock } = this;
    this.mapper = new Mapper({
      registry,
      opener,
      clock,
      ...(prng && { prng }),
      ...(report && { report }),
    });
  }

  /** A device that runs with the table. */
  async start(name: string, table: string, options: { readOnly?: boolean } = {}) {
    const device = this.mapper.create({ name });
    await this.load(device, table, options);
    await device.resume();
    return device;
  }

  async load(device: MappedDevice, table: string, options: { readOnly?: boolean } = {}) {
    return await this.mapper.load(device, parseTable(table), options);
  }
}
