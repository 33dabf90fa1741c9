/**
 * Reads what the device mapper answers to `@stats_list` and `@stats_print`.
 *
 * A group is kept in the auxiliary data of its first region: `DMS_GROUP=<alias>:<ids>#<user data>`, as dmstats does it, so that
 * both programs see the same groups.
 */

import { formatIdList, parseIdList } from './id-list.ts';
import { type Area, COUNTERS, type CounterName, type Group, type Region } from './model.ts';

const GROUP_TAG = 'DMS_GROUP=';
const NS_PER_MS = 1_000_000n;
const REGION_LINE = /^(\d+): (\d+)\+(\d+) (\d+) (\S+) ?(\S*) ?(.*)$/;
const AREA_LINE = /^(\d+)\+(\d+)((?: \d+){13})(?: (\d+(?::\d+)*))?$/;

export interface RegionList {
  regions: Map<number, Region>;
  groups: Map<number, Group>;
  /** For the user. */
  warnings: string[];
}

/** null: it is no list of regions. */
export function parseRegionList(text: string): RegionList | null {
  const list: RegionList = { regions: new Map(), groups: new Map(), warnings: [] };
  for (const line of splitLines(text)) {
    const match = REGION_LINE.exec(line);
    if (!match) return null;
    addRegion(list, match);
  }
  for (const group of list.groups.values()) linkGroup(list, group);
  return list;
}

function addRegion(list: RegionList, match: RegExpExecArray): void {
  const [, id, start, length, step, programId = '-', auxiliary = '-', options = ''] = match;
  const precise = options.includes('precise_timestamps');
  const bounds = /histogram:([\d,]+)/.exec(options)?.[1]?.split(',') ?? [];
  const region: Region = {
    id: Number(id),
    start: BigInt(start!),
    length: BigInt(length!),
    step: BigInt(step!),
    programId: programId.startsWith('-') ? '' : programId,
    userData: auxiliary.startsWith('-') ? '' : auxiliary,
    precise,
    boundsNs: bounds.map((bound) => BigInt(bound) * (precise ? 1n : NS_PER_MS)),
    groupId: null,
    areas: null,
  };
  list.regions.set(region.id, region);
  const tagged = parseGroupTag(region.userData);
  if (tagged === null) return;
  if (tagged.members[0] !== region.id) {
    list.warnings.push(`Found invalid group descriptor in region ${region.id} aux_data.`);
    return;
  }
  region.userData = tagged.userData;
  list.groups.set(region.id, { id: region.id, alias: tagged.alias, members: tagged.members });
}

function linkGroup(list: RegionList, group: Group): void {
  for (const id of group.members) {
    const region = list.regions.get(id);
    if (region) region.groupId = group.id;
    else {
      list.warnings.push(`Group descriptor ${group.id} contains non-existent region_id ${id}.`);
    }
  }
  group.members = group.members.filter((id) => list.regions.has(id));
}

function parseGroupTag(text: string) {
  const at = text.indexOf(GROUP_TAG);
  if (at < 0) return null;
  const [, alias = '', ids = '', rest = ''] = /^([^:]*):([^#]*)#?(.*)$/.exec(
    text.slice(at + GROUP_TAG.length),
  ) ?? [''];
  const members = parseIdList(ids) ?? [];
  return { alias: alias === '' ? null : alias, members, userData: rest === '-' ? '' : rest };
}

/** The auxiliary data of a region: the group that it leads, and the user's text. */
export function auxiliaryText(group: Group | undefined, userData: string): string {
  const own = userData === '' ? '-' : userData;
  if (!group) return own;
  return `${GROUP_TAG}${group.alias ?? ''}:${formatIdList(group.members)}#${own}`;
}

/** Gives the region the counters of its areas, and their extent; false: that is no answer of `@stats_print`. */
export function readCounters(region: Region, text: string): boolean {
  const areas: Area[] = [];
  let end = 0n;
  for (const line of splitLines(text)) {
    const match = AREA_LINE.exec(line);
    if (!match) return false;
    const [start, length] = [BigInt(match[1]!), BigInt(match[2]!)];
    if (areas.length === 0) [region.start, region.step] = [start, length];
    end = start + length;
    areas.push(parseArea(match, region));
  }
  if (areas.length === 0) return false;
  region.length = end - region.start;
  region.areas = areas;
  return true;
}

function parseArea(match: RegExpExecArray, { precise, boundsNs }: Region): Area {
  const values = match[3]!.trim().split(' ').map(BigInt);
  const counters = Object.fromEntries(
    COUNTERS.map((name, index) => {
      const isTime = name.endsWith('Ns');
      return [name, values[index]! * (isTime && !precise ? NS_PER_MS : 1n)];
    }),
  ) as Record<CounterName, bigint>;
  const bins = match[4]?.split(':').map(BigInt) ?? [];
  return { counters, bins: boundsNs.map((_, bin) => bins[bin] ?? 0n).concat(lastBin(bins)) };
}

function lastBin(bins: readonly bigint[]): bigint[] {
  return bins.length === 0 ? [] : [bins.at(-1)!];
}

function splitLines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
