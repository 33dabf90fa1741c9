/** `devmapper stats create`: a region over a device, or one over each row of its table. */

import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import type { RowSpec } from '../../core/table.ts';
import { commandFailed, request } from '../dmsetup/failure.ts';
import type { DmsetupOptions } from '../dmsetup/options.ts';
import {
  ALL_PROGRAMS,
  createRegion,
  type NewRegion,
  PROGRAM_ID,
  StatisticsDevice,
  type Warn,
} from './device.ts';
import { BoundsError, boundsArgument, needPrecision, parseBounds } from './histogram.ts';
import { parseSectors } from './size-text.ts';

/** What the user asked for, read and checked. */
export interface CreatePlan {
  start: bigint;
  length: bigint;
  /** As many areas in each region; unless `areaSectors`. */
  areaCount: number;
  areaSectors: bigint | null;
  segments: boolean;
  group: boolean;
  alias: string | null;
  precise: boolean;
  boundsNs: readonly bigint[];
  programId: string;
  userData: string;
}

export interface CreatedRegion {
  id: number;
  areaCount: bigint;
}

export interface Created {
  name: string;
  regions: CreatedRegion[];
  groupId: number | null;
}

export function checkCreateOptions(options: DmsetupOptions): void {
  const refuse = (line: string) => commandFailed([line]);
  if (options.allregions) throw refuse('Cannot use --allregions with create.');
  if (options.allprograms) throw refuse('Cannot use --allprograms with create.');
  if (options.areas !== undefined && options.areasize !== undefined)
    throw refuse('Please specify one of --areas and --areasize.');
  if (options.programid === '' && !options.force)
    throw refuse('Creating a region with no program id requires --force.');
}

export function readCreatePlan(options: DmsetupOptions): CreatePlan {
  const areaSectors = readSize(options.areasize, 'areasize');
  const start = readSize(options.start, 'start') ?? 0n;
  const length = readSize(options.length, 'length') ?? 0n;
  const alias = options.alias ?? null;
  if (alias !== null && options.nogroup) throw commandFailed(['Cannot set alias with --nogroup.']);
  return {
    start,
    length,
    areaCount: leadingNumber(options.areas) || 1,
    areaSectors,
    segments: options.segments ?? false,
    group: !options.nogroup,
    alias,
    precise: options.precise ?? false,
    boundsNs: readBounds(options.bounds),
    programId: options.programid ?? PROGRAM_ID,
    userData: options.userdata ?? '',
  };
}

/** As atoi(3) reads it: 0 for what is no number. */
export function leadingNumber(text: string | undefined): number {
  return Number(/^\s*\d{1,9}/.exec(text ?? '')?.[0] ?? 0);
}

function readSize(text: string | undefined, name: string): bigint | null {
  if (text === undefined) return null;
  const sectors = parseSectors(text);
  if (sectors === null) throw commandFailed([`Invalid ${name} argument: "${text}"`]);
  return sectors;
}

export function readBounds(text: string | undefined): bigint[] {
  if (text === undefined) return [];
  try {
    return parseBounds(text);
  } catch (error) {
    if (error instanceof BoundsError) throw commandFailed([error.message]);
    throw error;
  }
}

/** Calls back after each region, since one that follows may fail. */
export async function createOn(
  client: DmClient,
  selector: DeviceSelector,
  plan: CreatePlan,
  follow: { created(name: string, region: CreatedRegion): void; warn: Warn },
): Promise<Created> {
  const { device, rows } = await request('table', selector, () =>
    client.table(selector, { kind: 'table' }),
  );
  const { name } = device;
  const created: Created = { name, regions: [], groupId: null };
  for (const extent of extentsOf(plan, rows)) {
    const region = regionOf(plan, extent, name);
    const problem = `${name}: Could not create statistics region.`;
    const id = await createRegion(client, selector, region, problem);
    const one = { id, areaCount: areasIn(plan, extent.length) };
    created.regions.push(one);
    follow.created(name, one);
  }
  if (plan.segments && plan.group) {
    const ids = created.regions.map(({ id }) => id).join(',');
    const listed = await StatisticsDevice.read(client, selector, PROGRAM_ID, follow.warn);
    const problem = `Failed to create group for regions ${ids}.`;
    created.groupId = await listed.group(ids, plan.alias, problem, follow.warn);
  }
  return created;
}

interface Extent {
  start: bigint;
  length: bigint;
}

/** The rows, or one extent; without a length as long as the device, wherever it starts. */
function extentsOf(plan: CreatePlan, rows: readonly RowSpec[]): Extent[] {
  if (plan.segments && rows.length > 0)
    return rows.map(({ start, length }) => ({ start: BigInt(start), length: BigInt(length) }));
  if (plan.segments) return [{ start: 0n, length: 0n }];
  const total = rows.reduce((sum, { length }) => sum + BigInt(length), 0n);
  return [{ start: plan.start, length: plan.length > 0n ? plan.length : total }];
}

function regionOf(plan: CreatePlan, extent: Extent, name: string): NewRegion {
  const { boundsNs, areaSectors, areaCount, programId, userData } = plan;
  if (boundsNs.some((bound, index) => index > 0 && bound < boundsNs[index - 1]!)) {
    throw commandFailed([
      'Histogram boundaries must be in order of increasing magnitude.',
      `${name}: Could not create statistics region.`,
    ]);
  }
  const precise = plan.precise || needPrecision(boundsNs);
  return {
    ...extent,
    step: areaSectors === null ? `/${areaCount}` : String(areaSectors),
    precise,
    bounds: boundsNs.length === 0 ? '' : boundsArgument(boundsNs, precise),
    programId: programId === ALL_PROGRAMS ? '-' : programId,
    userData,
  };
}

function areasIn({ areaCount, areaSectors }: CreatePlan, length: bigint): bigint {
  if (length === 0n) return 1n;
  if (areaSectors === null) return BigInt(areaCount);
  return (length + areaSectors - 1n) / areaSectors;
}
