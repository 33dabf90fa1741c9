/** `devmapper remove_all`. */

import { DmError } from '../../base/errors.ts';
import type { DmClient } from '../../control/client/dm-client.ts';
import { addDmsetupCommand, type CommandHost, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { loadErrorTable } from './error-table.ts';
import { commandFailed, DmsetupFailure, request } from './failure.ts';
import type { DmsetupOptions } from './options.ts';

const HELP = `
Devices in use stay, and those below them. As in dmsetup, the exit status is 0 even if some could not be removed.

Examples:
  devmapper remove_all               every device that nobody has open
  devmapper remove_all --force       first let every I/O fail, so that no device needs another one
  devmapper remove_all --deferred    the rest as soon as it is closed
`;

export function addRemoveAllCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'remove_all',
    usage: '[-f|--force] [--deferred]',
    summary: 'remove every device',
    operands: [0, 0],
    options: ['force', 'deferred'],
    help: HELP,
    run: removeAll,
  });
}

function removeAll({ options }: Invocation): Promise<void> {
  if (options.select !== undefined) {
    // dmsetup takes it and removes every device all the same.
    throw commandFailed([
      'remove_all does not select: use "remove --select" for the devices that match.',
    ]);
  }
  return withClient(options, async (client) => {
    if (options.force) await removeByForce(client, options);
    else {
      const { deferred = false } = options;
      await request('remove_all', {}, () => client.removeAll({ deferred }));
    }
  });
}

async function removeByForce(client: DmClient, options: DmsetupOptions): Promise<void> {
  const devices = await client.list();
  for (const { name } of devices) {
    await unlessImpossible(() => loadErrorTable(client, { name }, options));
  }
  await request('remove_all', {}, () => client.removeAll({ deferred: options.deferred ?? false }));
  const rest = await client.list();
  if (rest.length > 0) process.stderr.write(`Unable to remove ${rest.length} device(s).\n`);
}

/** A device without a table has nothing to let go of, and one that went meanwhile even less. */
async function unlessImpossible(step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof DmsetupFailure || error instanceof DmError)) throw error;
  }
}
