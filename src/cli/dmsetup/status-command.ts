/** `devmapper status`. */

import type { DeviceSelector, DmClient, TableReply } from '../../control/client/dm-client.ts';
import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS } from './command.ts';
import { readOfExisting } from './existing.ts';
import { commandFailed } from './failure.ts';
import type { DmsetupOptions } from './options.ts';
import { printRows } from './table-lines.ts';

const HELP = `
Each target says how it is: a line a row of the table. "devmapper targets -v" and docs/targets explain the words.

Examples:
  devmapper status
  devmapper status --target striped
  devmapper status --json disk
`;

export function addStatusCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'status',
    usage: '[--noflush] [--inactive] [--target <target_type>] [<device>...]',
    summary: 'print how the targets of devices are',
    operands: [0, Infinity],
    options: [
      ...DEVICE_OPTIONS,
      'noflush',
      'inactive',
      'target',
      'select',
      'manglename',
      'verbose',
      'json',
    ],
    help: HELP,
    run: (invocation) => {
      if (invocation.options.sort !== undefined) {
        throw commandFailed(['--sort is not yet supported with status and table.']);
      }
      return printRows(invocation, (client, device) =>
        readStatus(client, device, invocation.options),
      );
    },
  });
}

function readStatus(
  client: DmClient,
  device: DeviceSelector,
  { noflush = false, inactive = false }: DmsetupOptions,
): Promise<TableReply> {
  return readOfExisting('status', client, device, { kind: 'status', noflush, inactive });
}
