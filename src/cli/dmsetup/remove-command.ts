/** `devmapper remove`. */

import { setTimeout as sleep } from 'node:timers/promises';
import { DmError } from '../../base/errors.ts';
import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { forEachDevice } from './devices.ts';
import { loadErrorTable } from './error-table.ts';
import { DmsetupFailure, request } from './failure.ts';
import type { DmsetupOptions } from './options.ts';
import { NO_DEVICES, print } from './print.ts';

/** As libdevmapper tries. */
const RETRIES = 25;
const RETRY_MS = 200;

const HELP = `
Nothing is written to what lies below: only the mapping goes. It stops at the first device that cannot be removed.

Examples:
  devmapper remove top disk            the upper one first: a device in use stays
  devmapper remove --retry disk        somebody is about to close it
  devmapper remove --deferred disk     when the last user has closed it
  devmapper remove --force disk        every I/O fails from now on, then try to remove it
`;

export function addRemoveCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'remove',
    usage: '[--deferred] [-f|--force] [--retry] <device>...',
    summary: 'remove devices',
    operands: [0, Infinity],
    options: [...DEVICE_OPTIONS, 'deferred', 'force', 'retry', 'select'],
    help: HELP,
    run: removeDevices,
  });
}

function removeDevices(invocation: Invocation): Promise<void> {
  const { options } = invocation;
  return withClient(options, async (client) => {
    const count = await forEachDevice(client, invocation, async (device) => {
      const problems = options.force ? await tryErrorTable(client, device, options) : [];
      await request('remove', device, () => removeDevice(client, device, options), problems);
    });
    if (count === 0) print(NO_DEVICES);
  });
}

/** A device without a table needs none of it. Returns what went wrong, for when the removal fails too. */
async function tryErrorTable(
  client: DmClient,
  device: DeviceSelector,
  options: DmsetupOptions,
): Promise<readonly string[]> {
  try {
    await loadErrorTable(client, device, options);
    return [];
  } catch (error) {
    if (!(error instanceof DmsetupFailure)) throw error;
    return error.lines.slice(0, -1);
  }
}

async function removeDevice(
  client: DmClient,
  device: DeviceSelector,
  { deferred = false, retry }: DmsetupOptions,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await client.remove(device, { deferred });
      return;
    } catch (error) {
      const busy = error instanceof DmError && error.code === 'EBUSY';
      if (!busy || !retry || tries === RETRIES) throw error;
    }
    await sleep(RETRY_MS);
  }
}
