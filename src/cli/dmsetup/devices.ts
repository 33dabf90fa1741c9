/** Over which devices a command goes, in which order, and when it stops: as dmsetup does, at the first that fails. */

import type { DeviceEntry, DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import type { Invocation } from './command.ts';
import { deviceArgument, missingDevice, optionDevice } from './device-argument.ts';
import { readExisting } from './existing.ts';
import { commandFailed, DmsetupFailure } from './failure.ts';
import { manglingMode, unmangle } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';

export interface WalkOptions {
  /** Without operands: every device. Else that is a mistake. */
  everyDevice?: boolean;
}

export type VisitDevice = (device: DeviceSelector, walk: { single: boolean }) => Promise<void>;

/**
 * Visits the devices that operands name, else the one of --uuid or --major and --minor, else those that --select chooses.
 * `single`: the user named exactly one. Resolves with the number of devices there were to choose from.
 */
export async function forEachDevice(
  client: DmClient,
  { operands, options }: Invocation,
  visit: VisitDevice,
  { everyDevice = false }: WalkOptions = {},
): Promise<number> {
  const selected =
    options.select === undefined ? null : await selectedNames(client, options.select);
  for (const operand of operands) {
    const device = await deviceArgument(client, operand, options);
    const matches = selected === null || (await isSelected(client, device, selected));
    if (matches) await visit(device, { single: operands.length === 1 });
  }
  if (operands.length > 0) return operands.length;
  const device = optionDevice(options);
  if (device !== null) {
    await visit(device, { single: true });
    return 1;
  }
  if (!everyDevice && selected === null) missingDevice();
  const devices = await client.list();
  checkNames(devices, options);
  for (const { name } of devices) {
    if (selected === null || selected.has(name)) await visit({ name }, { single: false });
  }
  return devices.length;
}

async function selectedNames(client: DmClient, selection: string): Promise<ReadonlySet<string>> {
  const { selectDevices } = await import('./selection.ts');
  return selectDevices(client, selection);
}

async function isSelected(
  client: DmClient,
  device: DeviceSelector,
  selected: ReadonlySet<string>,
): Promise<boolean> {
  const { name } = await readExisting(() => client.status(device));
  return selected.has(name);
}

/** dmsetup unmangles the names of a list before it does anything with one of them. */
function checkNames(devices: readonly DeviceEntry[], options: DmsetupOptions): void {
  const mode = manglingMode(options);
  const problems: string[] = [];
  for (const { name } of devices) {
    try {
      unmangle(name, 'name', mode);
    } catch (error) {
      if (!(error instanceof DmsetupFailure)) throw error;
      problems.push(...error.lines.slice(0, -1));
    }
  }
  if (problems.length > 0) throw commandFailed(problems);
}
