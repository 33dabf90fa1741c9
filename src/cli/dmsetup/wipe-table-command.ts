/** `devmapper wipe_table`. */

import { addDmsetupCommand, type CommandHost, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { missingDevice } from './device-argument.ts';
import { forEachDevice } from './devices.ts';
import { loadErrorTable } from './error-table.ts';
import { NO_DEVICES, print } from './print.ts';

const HELP = `
I/O that is under way finishes, unless --noflush; the devices below are free afterwards.

Examples:
  devmapper wipe_table disk              every read and write of disk fails from now on
  devmapper wipe_table --noflush disk    also what waits in it
`;

export function addWipeTableCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'wipe_table',
    usage: '[-f|--force] [--noflush] [--nolockfs] <device>...',
    summary: 'replace the table of devices by one that fails every I/O',
    operands: [0, Infinity],
    options: ['force', 'noflush', 'nolockfs', 'select'],
    help: HELP,
    run: wipeTables,
  });
}

async function wipeTables(invocation: Invocation): Promise<void> {
  const { operands, options } = invocation;
  // dmsetup wants a name here.
  if (operands.length === 0 && options.select === undefined) missingDevice();
  await withClient(options, async (client) => {
    const count = await forEachDevice(client, invocation, (device) =>
      loadErrorTable(client, device, options),
    );
    if (count === 0) print(NO_DEVICES);
  });
}
