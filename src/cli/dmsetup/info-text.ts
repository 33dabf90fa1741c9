/** How a device is, in lines: `devmapper info`, and what -v adds to other commands. */

import type { DeviceSelector, DeviceStatus, DmClient } from '../../control/client/dm-client.ts';
import { readStatus } from './info-facts.ts';
import { readAheadSectors } from './info-read-ahead.ts';
import { type ManglingMode, manglingMode, unmangle } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';
import { print } from './print.ts';

export async function printInfo(
  client: DmClient,
  device: DeviceSelector,
  options: DmsetupOptions,
): Promise<void> {
  const status = await readStatus(client, device, options);
  const readAhead = await readAheadSectors(client, status);
  print(infoText(status, readAhead, manglingMode(options)));
}

/** With an empty line at the end, as between several devices. */
export function infoText(
  status: DeviceStatus,
  readAhead: number | null,
  mode: ManglingMode,
): string {
  const { number } = status;
  const lines = [
    `Name:              ${unmangle(status.name, 'name', mode)}`,
    `State:             ${stateOf(status)}`,
    ...(readAhead === null ? [] : [`Read Ahead:        ${readAhead}`]),
    `Tables present:    ${tablesOf(status)}`,
    `Open count:        ${status.openCount}`,
    `Event number:      ${status.eventNumber}`,
    `Major, minor:      ${number.major}, ${number.minor}`,
    `Number of targets: ${status.targetCount}`,
    ...(status.uuid === '' ? [] : [`UUID: ${unmangle(status.uuid, 'UUID', mode)}`]),
  ];
  return `${lines.join('\n')}\n\n`;
}

function stateOf({ suspended, readOnly, deferredRemove }: DeviceStatus): string {
  const state = suspended ? 'SUSPENDED' : 'ACTIVE';
  return `${state}${readOnly ? ' (READ-ONLY)' : ''}${deferredRemove ? ' (DEFERRED REMOVE)' : ''}`;
}

function tablesOf({ liveTable, inactiveTable }: DeviceStatus): string {
  if (liveTable) return inactiveTable ? 'LIVE & INACTIVE' : 'LIVE';
  return inactiveTable ? 'INACTIVE' : 'None';
}
