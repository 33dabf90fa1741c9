/** What dmstats knows of one device: regions, their counters once they were read, and groups of regions. */

import type { DeviceSelector } from '../../control/client/dm-client.ts';

/** In the order of `@stats_print`; times in nanoseconds. */
export const COUNTERS = [
  'reads',
  'readsMerged',
  'readSectors',
  'readNs',
  'writes',
  'writesMerged',
  'writeSectors',
  'writeNs',
  'inProgress',
  'ioNs',
  'weightedIoNs',
  'totalReadNs',
  'totalWriteNs',
] as const;
export type CounterName = (typeof COUNTERS)[number];

export interface Area {
  counters: Readonly<Record<CounterName, bigint>>;
  /** Empty without a histogram. */
  bins: readonly bigint[];
}

export interface Region {
  id: number;
  /** In sectors, as are length and step. */
  start: bigint;
  length: bigint;
  /** Length of an area. */
  step: bigint;
  programId: string;
  /** Without the description of the group that may stand in front of it. */
  userData: string;
  precise: boolean;
  boundsNs: readonly bigint[];
  groupId: number | null;
  /** null: not read. */
  areas: readonly Area[] | null;
}

/** Its id is that of its first region. */
export interface Group {
  id: number;
  alias: string | null;
  members: number[];
}

export interface DeviceStatistics {
  name: string;
  selector: DeviceSelector;
  /** By id, ascending. */
  regions: Map<number, Region>;
  groups: Map<number, Group>;
}

export function countAreas({ length, step }: Region): number {
  return length === 0n || step === 0n ? 1 : Number((length + step - 1n) / step);
}
