/** A worker's copy of a stack: the same tables, targets and mapped devices over leaves of its own. */

import type { Clock } from '../../base/clock.ts';
import { DmError } from '../../base/errors.ts';
import type { BlockDevice } from '../../core/device.ts';
import { MappedDevice } from '../../core/mapped-device.ts';
import { STATISTICS_BYTES } from '../../core/statistics.ts';
import { type DeviceOpener, Table } from '../../core/table.ts';
import { createTargetRegistry, type TargetType } from '../../core/target.ts';
import { targets } from '../../targets/index.ts';
import { type CountJournal, ReplicaStatistics } from './count-journal.ts';
import { MemoryLeaf, NEEDS_MAIN, RemoteLeaf } from './direct-leaf.ts';
import { FileLeaf, type FileLeafOptions } from './file-leaf.ts';
import { type Plan, type PlanDevice, type PlanLeaf, REMOTE_TYPE, remoteRow } from './plan.ts';

export interface ReplicaOptions extends FileLeafOptions {
  clock: Clock;
  journal: CountJournal;
}

/** A row that only the main thread can run. */
const remote: TargetType = {
  name: REMOTE_TYPE,
  version: [1, 0, 0],
  usage: '',
  summary: 'stands for a row that this thread cannot run',
  create: () => ({
    map(bio) {
      bio.end(NEEDS_MAIN);
      return 'submitted';
    },
    table: () => '',
    devices: () => [],
  }),
};

const registry = createTargetRegistry([...targets, remote]);

/** Builds the copy and returns its top device, running. Awaits nothing but promises that are settled already. */
export async function createReplica(plan: Plan, options: ReplicaOptions): Promise<MappedDevice> {
  const leaves = plan.leaves.map((leaf) => createLeaf(leaf, options));
  const copies: MappedDevice[] = [];
  for (const device of plan.devices)
    copies.push(await copyDevice(plan, device, leaves, copies, options));
  return copies.at(-1)!;
}

/** `lower` holds the copies of the devices before this one. */
async function copyDevice(
  plan: Plan,
  device: PlanDevice,
  leaves: readonly BlockDevice[],
  lower: readonly MappedDevice[],
  options: ReplicaOptions,
): Promise<MappedDevice> {
  const index = lower.length;
  const copy = new MappedDevice({
    name: device.name,
    uuid: '',
    number: { major: 0, minor: index },
    clock: options.clock,
    statistics: new ReplicaStatistics(plan.statistics, index * STATISTICS_BYTES, options.journal),
  });
  if (device.rows.length === 0) return copy;
  await copy.load(await copyTable(device, new PlanOpener(device, leaves, lower)));
  await copy.resume();
  return copy;
}

/**
 * What was right when it was loaded may be refused today: a device below may have got smaller since. The main
 * thread goes on with such a table, so its rows are left to it.
 */
async function copyTable(device: PlanDevice, opener: DeviceOpener): Promise<Table> {
  const options = { registry, opener, readOnly: device.readOnly, onEvent: () => {} };
  try {
    return await Table.load(device.rows, options);
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    return Table.load(device.rows.map(remoteRow), options);
  }
}

function createLeaf(leaf: PlanLeaf, options: ReplicaOptions): BlockDevice {
  if (leaf.direct === null) return new RemoteLeaf(leaf);
  switch (leaf.direct.kind) {
    case 'memory':
      return new MemoryLeaf(leaf, leaf.direct.bytes, options.ranges);
    case 'file':
      return new FileLeaf(leaf, leaf.direct, options);
  }
}

/** Resolves the words of a table as the main thread resolved them. */
class PlanOpener implements DeviceOpener {
  readonly #devices: ReadonlyMap<string, BlockDevice>;

  constructor(plan: PlanDevice, leaves: readonly BlockDevice[], lower: readonly BlockDevice[]) {
    this.#devices = new Map(
      plan.operands.map(({ word, leaf, device }) => [
        word,
        leaf !== undefined ? leaves[leaf]! : lower[device!]!,
      ]),
    );
  }

  async prepare(): Promise<void> {}

  open(operand: string): { device: BlockDevice; release(): void } {
    const device = this.#devices.get(operand);
    if (!device) throw new DmError('ENOENT', `The plan has no device "${operand}"`);
    return { device, release: () => {} };
  }
}
