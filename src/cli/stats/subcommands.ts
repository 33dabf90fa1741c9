/** The commands of `devmapper stats` that change regions or print them plainly. */

import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import type { Invocation } from '../dmsetup/command.ts';
import { optionDevice } from '../dmsetup/device-argument.ts';
import { forEachDevice, type VisitDevice } from '../dmsetup/devices.ts';
import { commandFailed } from '../dmsetup/failure.ts';
import { NO_DEVICES, print, printJson } from '../dmsetup/print.ts';
import {
  type Created,
  checkCreateOptions,
  createOn,
  leadingNumber,
  readCreatePlan,
} from './create.ts';
import { ALL_PROGRAMS, PROGRAM_ID, StatisticsDevice, type Warn } from './device.ts';
import { createFilemap } from './filemap.ts';

export interface Context {
  client: DmClient;
  invocation: Invocation;
  warn: Warn;
}

const NO_REGION = 'Please specify a --regionid or use --allregions.';

function read({ client, warn }: Context, selector: DeviceSelector, programId = PROGRAM_ID) {
  return StatisticsDevice.read(client, selector, programId, warn);
}

/** Commands that make or delete something want devices, or a word for all of them. */
function checkDevices({ operands, options }: Invocation): void {
  const isNamed = operands.length > 0 || optionDevice(options) !== null;
  if (!isNamed && !options.alldevices)
    throw commandFailed(['Please specify device(s) or use --alldevices.']);
}

async function visitDevices({ client, invocation }: Context, visit: VisitDevice): Promise<void> {
  const count = await forEachDevice(client, invocation, visit, { everyDevice: true });
  if (count === 0) print(NO_DEVICES);
}

export async function create(context: Context): Promise<void> {
  const { client, invocation, warn } = context;
  const { operands, options } = invocation;
  checkCreateOptions(options);
  if (options.filemap) createFilemap(operands, options);
  checkDevices(invocation);
  const plan = readCreatePlan(options);
  const all: Created[] = [];
  await visitDevices(context, async (device) => {
    const created = await createOn(client, device, plan, {
      created(name, { id, areaCount }) {
        if (options.json) return;
        print(`${name}: Created new region with ${areaCount} area(s) as region ID ${id}\n`);
      },
      warn,
    });
    all.push(created);
    if (!options.json && created.groupId !== null) printGrouped(created, plan.alias);
  });
  if (options.json) printJson({ created: all.map(jsonOf) });
}

function printGrouped({ regions, groupId }: Created, alias: string | null): void {
  const ids = regions.map(({ id }) => id).join(',');
  const name = alias === null ? '' : ` with alias ${alias}`;
  print(`Grouped regions ${ids} as group ID ${groupId}${name}\n`);
}

function jsonOf({ name, regions, groupId }: Created): object {
  const ids = regions.map(({ id, areaCount }) => ({ id, areas: Number(areaCount) }));
  return { device: name, regions: ids, group: groupId };
}

export async function remove(context: Context): Promise<void> {
  const { options } = context.invocation;
  const { regionid, groupid, allregions } = options;
  if (regionid !== undefined && groupid !== undefined)
    throw commandFailed(['Please use one of --regionid and --groupid.']);
  if (regionid === undefined && groupid === undefined && !allregions)
    throw commandFailed(['Please specify a --regionid or --groupid, or use --allregions.']);
  checkDevices(context.invocation);
  const programId = options.allprograms ? ALL_PROGRAMS : (options.programid ?? PROGRAM_ID);
  await visitDevices(context, async (selector) => {
    const device = await read(context, selector, programId);
    if (groupid !== undefined) {
      const id = leadingNumber(groupid);
      await device.ungroup(id, 'Could not delete statistics group.', true);
      print(`Deleted statistics group ${id}.\n`);
    } else if (allregions) {
      const problem = 'Could not delete statistics region.';
      for (const id of [...device.regions.keys()]) await device.delete(id, problem);
    } else await device.delete(leadingNumber(regionid), 'Could not delete statistics region');
  });
}

export async function clear(context: Context): Promise<void> {
  const { regionid, allregions } = context.invocation.options;
  if (regionid === undefined && !allregions) throw commandFailed([NO_REGION]);
  await visitDevices(context, async (selector) => {
    const device = await read(context, selector);
    if (device.regions.size === 0) return;
    const ids = allregions ? [...device.regions.keys()] : [leadingNumber(regionid)];
    for (const id of ids) await device.clear(id);
  });
}

export async function printRegions(context: Context): Promise<void> {
  const { regionid, allregions, clear: isCleared = false, json } = context.invocation.options;
  if (regionid === undefined && !allregions) throw commandFailed([NO_REGION]);
  const printed: object[] = [];
  await visitDevices(context, async (selector) => {
    const device = await read(context, selector);
    const ids = allregions ? [...device.regions.keys()] : [leadingNumber(regionid)];
    for (const id of ids) {
      const text = await device.print(id, isCleared);
      if (json) printed.push({ device: device.name, region: id, areas: areasOf(text) });
      else print(text);
      // dmstats prints each of all regions twice; its readers expect that.
      if (allregions && !json) print(await device.print(id, isCleared));
    }
  });
  if (json) printJson({ regions: printed });
}

function areasOf(text: string): object[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [range = '', ...numbers] = line.split(' ');
    const [start = 0, length = 0] = range.split('+').map(Number);
    const histogram = numbers[13]?.split(':').map(Number);
    return { start, length, counters: numbers.slice(0, 13).map(Number), histogram };
  });
}

export async function group(context: Context): Promise<void> {
  const { options } = context.invocation;
  const { regions, alias = null } = options;
  if (regions === undefined) throw commandFailed(['Group requires --regions.']);
  checkDevices(context.invocation);
  await visitDevices(context, async (selector) => {
    const device = await read(context, selector);
    const problem = `Could not create group on ${device.name}: ${regions}`;
    const id = await device.group(regions, alias, problem, context.warn);
    print(`Grouped regions ${regions} as group ID ${id} on ${device.name}\n`);
  });
}

export async function ungroup(context: Context): Promise<void> {
  const { options } = context.invocation;
  if (options.groupid === undefined) throw commandFailed(['Please specify group id.']);
  checkDevices(context.invocation);
  const id = leadingNumber(options.groupid);
  await visitDevices(context, async (selector) => {
    const device = await read(context, selector);
    try {
      await device.ungroup(id, `Could not delete group ${id} on ${device.name}.`, false);
    } finally {
      // dmstats says so either way.
      print(`Removed group ID ${id} on ${device.name}\n`);
    }
  });
}
