/**
 * A plan: everything a data-plane worker needs to run a copy of a device's stack, as plain data that can be posted to a thread.
 *
 * Only rows of stateless targets are copied. Whatever else there is (a stateful target, a device only the main thread can reach)
 * stands in the plan as `remote`: I/O that gets there is handed back to the main thread.
 */

import { quoteArgument } from '../../core/arguments.ts';
import type { BlockDevice, DirectAccess } from '../../core/device.ts';
import type { Limits } from '../../core/limits.ts';
import { MappedDevice } from '../../core/mapped-device.ts';
import { STATISTICS_BYTES } from '../../core/statistics.ts';
import type { Row, Table } from '../../core/table.ts';
import type { TargetType } from '../../core/target.ts';
import { targets } from '../../targets/index.ts';

/** All tables of a stack together; a copy of more would not fit the memory that a worker may have. */
const MAX_ROWS = 100_000;

/** The type name of a row that the worker cannot run; no target has such a name. */
export const REMOTE_TYPE = '(remote)';
/** The same for one of which the worker does the reads, as linear would. */
export const READS_TYPE = '(reads)';

export interface PlanLeaf {
  operand: string;
  sizeSectors: number;
  limits: Limits;
  readOnly: boolean;
  /** Absent: only the main thread reaches it. */
  direct: DirectAccess | null;
}

export interface PlanRow {
  start: number;
  length: number;
  type: string;
  params: string;
  /** What words of `params` name: the target's own memory. */
  secrets?: SharedArrayBuffer[];
}

export interface PlanDevice {
  name: string;
  readOnly: boolean;
  rows: PlanRow[];
  /** Operand words of the rows, and what they name: an index into `leaves`, or into `devices` of lower ones. */
  operands: { word: string; leaf?: number; device?: number }[];
}

export interface Plan {
  leaves: PlanLeaf[];
  /** Lower ones first; the last one is the device that is served. */
  devices: PlanDevice[];
  /** Requests that are not multiples of it are the main thread's to refuse. */
  logicalBlockBytes: number;
  /** One `IoStatistics` for each of `devices`, counted by the worker, read by everyone. */
  statistics: SharedArrayBuffer;
}

export interface BuiltPlan {
  plan: Plan;
  /** The mapped devices of the stack, in the order of `plan.devices`. */
  devices: MappedDevice[];
}

/** Describes the stack under `top` as it is now. */
export function buildPlan(top: MappedDevice): BuiltPlan {
  const builder = new PlanBuilder();
  builder.addDevice(top);
  const { leaves, plans, devices } = builder;
  const statistics = new SharedArrayBuffer(devices.length * STATISTICS_BYTES);
  const { logicalBlockBytes } = top.limits;
  return { plan: { leaves, devices: plans, logicalBlockBytes, statistics }, devices };
}

class PlanBuilder {
  readonly leaves: PlanLeaf[] = [];
  readonly plans: PlanDevice[] = [];
  readonly devices: MappedDevice[] = [];
  readonly #leafIndex = new Map<BlockDevice, number>();
  #rowCount = 0;

  addDevice(device: MappedDevice): number {
    const known = this.devices.indexOf(device);
    if (known >= 0) return known;
    const table = device.live;
    const rows = this.#planRows(device);
    const operands = [...(table?.operands ?? [])].map(([word, below]) =>
      below instanceof MappedDevice
        ? { word, device: this.addDevice(below) }
        : { word, leaf: this.#addLeaf(below) },
    );
    this.devices.push(device);
    this.plans.push({ name: device.name, readOnly: device.readOnly, rows, operands });
    return this.devices.length - 1;
  }

  #planRows({ live: table, hasRegions }: MappedDevice): PlanRow[] {
    if (table === null) return [];
    this.#rowCount += table.rows.length;
    // Regions of statistics count only what the main thread does.
    if (this.#rowCount <= MAX_ROWS && !hasRegions)
      return table.rows.map((row) => planRow(row, table.operands));
    return [remoteRow({ start: 0, length: table.sizeSectors })];
  }

  #addLeaf(device: BlockDevice): number {
    const known = this.#leafIndex.get(device);
    if (known !== undefined) return known;
    const { operand, sizeSectors, limits, readOnly, direct = null } = device;
    this.leaves.push({ operand, sizeSectors, limits, readOnly, direct });
    this.#leafIndex.set(device, this.leaves.length - 1);
    return this.leaves.length - 1;
  }
}

/** What a worker can build: it has the built-in targets, and no other that may go by their names. */
const known: ReadonlySet<TargetType> = new Set(
  targets.filter(({ features }) => features?.includes('stateless')),
);

function planRow(row: Row, operands: Table['operands']): PlanRow {
  if (!known.has(row.targetType)) return passThroughRow(row, operands) ?? remoteRow(row);
  const { start, length, type, target } = row;
  const copy = target.replica?.();
  if (copy === undefined) return { start, length, type, params: row.params };
  const secrets = copy.secrets.map(({ memory }) => memory);
  return { start, length, type, params: copy.text, secrets };
}

/** What goes straight to one device below, as the target says that it may for now. */
function passThroughRow(
  { start, length, target }: Row,
  operands: Table['operands'],
): PlanRow | null {
  const open = target.passThrough?.() ?? null;
  if (open === null) return null;
  const word = [...operands].find(([, device]) => device === open.device)?.[0];
  if (word === undefined) return null;
  const type = open.ops === 'all' ? 'linear' : READS_TYPE;
  return { start, length, type, params: `${quoteArgument(word)} ${start + open.sectors}` };
}

/** Whether a copy of the plan's stack holds keys. */
export function hasSecrets({ devices }: Plan): boolean {
  return devices.some(({ rows }) => rows.some(({ secrets = [] }) => secrets.length > 0));
}

/** The row as one that only the main thread can run. */
export function remoteRow({ start, length }: Pick<PlanRow, 'start' | 'length'>): PlanRow {
  return { start, length, type: REMOTE_TYPE, params: '' };
}
