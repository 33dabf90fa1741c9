/** A worker's copy of a stack: the same tables, targets and mapped devices over leaves of its own. */

import type { Clock } from '../../base/clock.ts';
import { DmError } from '../../base/errors.ts';
import { Op } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import type { DeviceOpener } from '../../core/device-opener.ts';
import { MappedDevice } from '../../core/mapped-device.ts';
import { STATISTICS_BYTES } from '../../core/statistics.ts';
import { type RowSpec, Table } from '../../core/table.ts';
import { createTargetRegistry, type TargetType } from '../../core/target.ts';
import type { TargetMemory } from '../../core/target-memory.ts';
import { Secret } from '../../crypto/secret.ts';
import { targets } from '../../targets/index.ts';
import { type CountJournal, ReplicaStatistics } from './count-journal.ts';
import { MemoryLeaf, NEEDS_MAIN, RemoteLeaf } from './direct-leaf.ts';
import { FileLeaf, type FileLeafOptions } from './file-leaf.ts';
import {
  type Plan,
  type PlanDevice,
  type PlanLeaf,
  type PlanRow,
  READS_TYPE,
  REMOTE_TYPE,
  remoteRow,
} from './plan.ts';

export interface ReplicaOptions extends FileLeafOptions {
  clock: Clock;
  journal: CountJournal;
  memory: TargetMemory;
}

export interface Replica {
  /** The top device, running. */
  device: MappedDevice;
  /** Overwrites what its targets hold of keys. Nothing is under way any more. */
  close(): Promise<void>;
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

/** A row of which only the main thread can do more than read. `<device> <offset>` */
const reads: TargetType = {
  name: READS_TYPE,
  version: [1, 0, 0],
  usage: '<device> <offset>',
  summary: 'stands for a row that this thread can only read',
  create(args, { start, length }) {
    const device = args.open(args.word('device'));
    const offset = args.sectors('offset', 'Invalid device sector');
    return {
      map(bio) {
        if (bio.op !== Op.read) {
          bio.end(NEEDS_MAIN);
          return 'submitted';
        }
        bio.device = device;
        bio.sector += offset - start;
        return 'remapped';
      },
      table: () => `${device.operand} ${offset}`,
      devices: () => [{ device, startSectors: offset, lengthSectors: length }],
    };
  },
};

const registry = createTargetRegistry([...targets, remote, reads]);

/** Builds the copy. Awaits no I/O of devices; the code of a target that loads late comes with the first copy. */
export async function createReplica(plan: Plan, options: ReplicaOptions): Promise<Replica> {
  const leaves = plan.leaves.map((leaf) => createLeaf(leaf, options));
  const copies: MappedDevice[] = [];
  for (const device of plan.devices)
    copies.push(await copyDevice(plan, device, leaves, copies, options));
  const close = async () => {
    for (const copy of copies) await copy.live?.close();
  };
  return { device: copies.at(-1)!, close };
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
  await copy.load(await copyTable(device, new PlanOpener(device, leaves, lower), options.memory));
  await copy.resume();
  return copy;
}

/**
 * What was right when it was loaded may be refused today: a device below may have got smaller since. The main
 * thread goes on with such a table, so its rows are left to it.
 */
async function copyTable(
  device: PlanDevice,
  opener: DeviceOpener,
  memory: TargetMemory,
): Promise<Table> {
  const options = { registry, opener, readOnly: device.readOnly, onEvent: () => {}, memory };
  try {
    return await Table.load(device.rows.map(specOf), options);
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    return Table.load(device.rows.map(remoteRow).map(specOf), options);
  }
}

function specOf({ secrets = [], ...row }: PlanRow): RowSpec {
  return { ...row, secrets: secrets.map((memory) => Secret.share(memory)) };
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
