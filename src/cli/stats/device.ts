/** What dmstats does with one device: its regions read, made, grouped and deleted, each by messages. Failures are dmstats' lines. */

import { DmError } from '../../base/errors.ts';
import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import { commandFailed, ioctlLines } from '../dmsetup/failure.ts';
import { parseIdList } from './id-list.ts';
import type { DeviceStatistics, Group, Region } from './model.ts';
import { overlapWarnings } from './overlap.ts';
import { auxiliaryText, parseRegionList, readCounters } from './region-text.ts';

/** dmstats': regions of other programs are left alone unless asked for. */
export const PROGRAM_ID = 'dmstats';
/** Of every program. */
export const ALL_PROGRAMS = '';

export type Warn = (line: string) => void;

export class StatisticsDevice implements DeviceStatistics {
  readonly name: string;
  readonly selector: DeviceSelector;
  readonly regions: Map<number, Region>;
  readonly groups: Map<number, Group>;
  readonly #client: DmClient;

  /** Reads the list of a program's regions. */
  static async read(
    client: DmClient,
    selector: DeviceSelector,
    programId: string,
    warn: Warn,
  ): Promise<StatisticsDevice> {
    const text = await send(client, selector, `@stats_list ${programId}`.trimEnd());
    const list = parseRegionList(text);
    if (list === null) throw commandFailed(['Could not parse @stats_list response.']);
    for (const warning of list.warnings) warn(warning);
    const name = 'name' in selector ? selector.name : (await client.status(selector)).name;
    return new StatisticsDevice(client, name, selector, list);
  }

  private constructor(
    client: DmClient,
    name: string,
    selector: DeviceSelector,
    list: Pick<DeviceStatistics, 'regions' | 'groups'>,
  ) {
    this.#client = client;
    this.name = name;
    this.selector = selector;
    this.regions = list.regions;
    this.groups = list.groups;
  }

  #send(text: string, ...problem: string[]): Promise<string> {
    return send(this.#client, this.selector, text, problem);
  }

  /** Reads the counters of all regions and sets them to zero. */
  async takeCounters(): Promise<void> {
    for (const region of this.regions.values()) {
      const text = await this.#send(`@stats_print_clear ${region.id}`);
      if (!readCounters(region, text))
        throw commandFailed(['Could not parse @stats_print message response.']);
    }
  }

  async clear(id: number): Promise<void> {
    if (!this.regions.has(id)) throw commandFailed([`No such region: ${id}.`]);
    await this.#send(`@stats_clear ${id}`, `Clearing statistics region ${id} failed.`);
  }

  /** Its counters as the device mapper prints them. */
  async print(id: number, clear: boolean): Promise<string> {
    const name = clear ? '@stats_print_clear' : '@stats_print';
    return await this.#send(`${name} ${id}`, 'Could not print statistics region.');
  }

  async delete(id: number, problem: string): Promise<void> {
    const region = this.regions.get(id);
    if (!region) throw commandFailed([`Region ID ${id} does not exist`, problem]);
    if (region.groupId !== null) await this.#leaveGroup(region, region.groupId, problem);
    await this.#send(`@stats_delete ${id}`, problem);
    this.regions.delete(id);
  }

  /** A group without its first region is none. */
  async #leaveGroup(region: Region, groupId: number, problem: string): Promise<void> {
    const group = this.groups.get(groupId)!;
    group.members = group.members.filter((id) => id !== region.id);
    if (region.id === groupId) this.#forget(group);
    await this.#saveGroup(groupId, problem);
  }

  #forget(group: Group): void {
    this.groups.delete(group.id);
    for (const region of this.regions.values())
      if (region.groupId === group.id) region.groupId = null;
  }

  /** Writes what the group's first region keeps of it. */
  async #saveGroup(id: number, ...problem: string[]): Promise<void> {
    const text = auxiliaryText(this.groups.get(id), this.regions.get(id)!.userData);
    await this.#send(`@stats_set_aux ${id} ${text}`, ...problem);
  }

  /** Returns the group's id. */
  async group(idText: string, alias: string | null, problem: string, warn: Warn): Promise<number> {
    const refuse = (line: string) => commandFailed([line, problem]);
    if (this.regions.size === 0) throw refuse('Could not create group: no regions found.');
    const members = parseIdList(idText);
    if (members === null) throw refuse(`Could not parse list: '${idText}'`);
    const last = Math.max(...this.regions.keys());
    const largest = members.at(-1) ?? -1;
    if (largest > last) throw refuse(`Invalid region ID: ${largest}`);
    const [id] = members;
    if (id === undefined) throw commandFailed([problem]);
    const regions = members.map((each) => this.#groupable(each, refuse));
    checkBounds(regions, refuse);
    for (const warning of [...precisionWarnings(regions), ...overlapWarnings(regions)])
      warn(warning);
    for (const region of regions) region.groupId = id;
    this.groups.set(id, { id, alias, members });
    await this.#saveGroup(id, problem);
    return id;
  }

  #groupable(id: number, refuse: (line: string) => Error): Region {
    const region = this.regions.get(id);
    if (!region) throw refuse(`Region ID ${id} does not exist`);
    if (region.groupId !== null)
      throw refuse(`Region ID ${id} already a member of group ID ${region.groupId}`);
    return region;
  }

  /** The group's regions stay, or are deleted with it. */
  async ungroup(id: number, problem: string, deleteRegions: boolean): Promise<void> {
    const largest = Math.max(-1, ...this.regions.keys());
    if (id > largest) throw commandFailed([`Invalid group ID: ${id}`, problem]);
    const group = this.groups.get(id);
    if (!group) throw commandFailed([`Group ID ${id} does not exist`, problem]);
    this.#forget(group);
    if (!deleteRegions) {
      await this.#saveGroup(id, problem);
      return;
    }
    for (const member of group.members.toReversed()) await this.delete(member, problem);
  }
}

function checkBounds(regions: readonly Region[], refuse: (line: string) => Error): void {
  const bounds = regions.map(({ boundsNs }) => boundsNs.join(',')).filter((text) => text !== '');
  if (new Set(bounds).size > 1) throw refuse('All region histogram bounds must match exactly');
}

function precisionWarnings(regions: readonly Region[]): string[] {
  if (new Set(regions.map(({ precise }) => precise)).size < 2) return [];
  return ['WARNING: Grouping regions with different clock resolution: precision may be lost.'];
}

export interface NewRegion {
  /** Both zero: all of the device. */
  start: bigint;
  length: bigint;
  /** Sectors of an area, or `/n`. */
  step: string;
  precise: boolean;
  /** As the message takes them; '' for none. */
  bounds: string;
  programId: string;
  userData: string;
}

/** Returns the new region's id. */
export async function createRegion(
  client: DmClient,
  selector: DeviceSelector,
  region: NewRegion,
  problem: string,
): Promise<number> {
  const { start, length, step, precise, bounds, programId, userData } = region;
  const range = start > 0n || length > 0n ? `${start}+${length}` : '-';
  const options = [
    ...(precise ? ['precise_timestamps'] : []),
    ...(bounds === '' ? [] : [`histogram:${bounds}`]),
  ];
  const count = options.length > 0 ? [String(options.length)] : [];
  const words = ['@stats_create', range, step, ...count, ...options, programId, userData];
  const reply = await send(client, selector, words.filter((word) => word !== '').join(' '), [
    problem,
  ]);
  return Number(reply);
}

async function send(
  client: DmClient,
  selector: DeviceSelector,
  text: string,
  problem: readonly string[] = [],
): Promise<string> {
  try {
    return (await client.message(selector, 0, text)) ?? '';
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    throw commandFailed([...ioctlLines('message', selector, error), ...problem], error);
  }
}
