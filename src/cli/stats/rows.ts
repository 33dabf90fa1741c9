/** Rows of a report: areas, regions and groups, in dmstats' order, with what the counters of each add up to. */

import type { Histogram } from './histogram.ts';
import { formatIdList } from './id-list.ts';
import {
  type Area,
  type CounterName,
  countAreas,
  type DeviceStatistics,
  type Group,
  type Region,
} from './model.ts';

export interface Objects {
  areas: boolean;
  regions: boolean;
  groups: boolean;
  /** A region that has one area only does not get a row of its own, beside that of its area. */
  skipSingleAreas: boolean;
}

export type StatisticsRow = {
  device: DeviceStatistics;
  /** Of a group: its first one. */
  region: Region;
  intervalNs: bigint;
} & ({ kind: 'area'; area: number } | { kind: 'region' } | { kind: 'group'; group: Group });

export function rowsOf(
  device: DeviceStatistics,
  objects: Objects,
  intervalNs: bigint,
): StatisticsRow[] {
  const regions = [...device.regions.values()];
  const rows: StatisticsRow[] = [];
  if (objects.areas) {
    for (const region of regions) {
      for (let area = 0; area < countAreas(region); area += 1)
        rows.push({ kind: 'area', device, region, area, intervalNs });
    }
  }
  if (objects.regions) {
    for (const region of regions) {
      if (objects.skipSingleAreas && countAreas(region) < 2) continue;
      rows.push({ kind: 'region', device, region, intervalNs });
    }
  }
  if (objects.groups) {
    for (const group of device.groups.values()) {
      const region = device.regions.get(group.id)!;
      rows.push({ kind: 'group', device, region, group, intervalNs });
    }
  }
  return rows;
}

function membersOf(row: StatisticsRow): Region[] {
  if (row.kind !== 'group') return [row.region];
  return row.group.members.map((id) => row.device.regions.get(id)!);
}

function areasOf(row: StatisticsRow): readonly Area[] {
  if (row.kind === 'area') return row.region.areas?.slice(row.area, row.area + 1) ?? [];
  return membersOf(row).flatMap(({ areas }) => areas ?? []);
}

export function counterOf(row: StatisticsRow, name: CounterName): bigint {
  return areasOf(row).reduce((sum, { counters }) => sum + counters[name], 0n);
}

/** null: it has none. Without counters all bins are empty. */
export function histogramOf(row: StatisticsRow): Histogram | null {
  const { boundsNs } = row.region;
  if (boundsNs.length === 0) return null;
  const counts = new Array<bigint>(boundsNs.length + 1).fill(0n);
  for (const { bins } of areasOf(row)) {
    for (const [bin, count] of bins.entries()) {
      if (bin < counts.length) counts[bin]! += count;
    }
  }
  return { boundsNs, counts };
}

export function nameOf({ device, region }: StatisticsRow): string {
  const group = region.groupId === null ? undefined : device.groups.get(region.groupId);
  return group?.alias ?? device.name;
}

/** The region's id, or those of all members of a group. */
export function regionIdText(row: StatisticsRow): string {
  return row.kind === 'group' ? formatIdList(row.group.members) : String(row.region.id);
}

export function lengthOf(row: StatisticsRow): bigint {
  return membersOf(row).reduce((sum, { length }) => sum + length, 0n);
}

export function areaLengthOf(row: StatisticsRow): bigint {
  return row.kind === 'group' ? lengthOf(row) : row.region.step;
}

/** For the row of a region dmstats takes a mark of its own for the area's number; scripts may compare what comes of it. */
const REGION_MARK = 1n << 49n;

export function areaOffsetOf(row: StatisticsRow): bigint {
  if (row.kind === 'group') return 0n;
  const area = row.kind === 'area' ? BigInt(row.area) : REGION_MARK;
  return BigInt.asUintN(64, row.region.step * area);
}

export function areaStartOf(row: StatisticsRow): bigint {
  return BigInt.asUintN(64, row.region.start + areaOffsetOf(row));
}
