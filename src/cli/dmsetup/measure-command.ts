/** `devmapper measure`. */

import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS } from './command.ts';
import { readOfExisting } from './existing.ts';
import { printRows } from './table-lines.ts';

const HELP = `
Examples:
  devmapper measure disk    what a kernel would report of disk to its integrity measurement (IMA)
`;

export function addMeasureCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'measure',
    usage: '[<device>...]',
    summary: 'print what the integrity measurement would record of devices',
    operands: [0, Infinity],
    options: [...DEVICE_OPTIONS, 'inactive', 'select', 'manglename', 'verbose', 'json'],
    help: HELP,
    run: (invocation) => {
      const { inactive = false } = invocation.options;
      return printRows(invocation, (client, device) =>
        readOfExisting('measure', client, device, { kind: 'measurement', inactive }),
      );
    },
  });
}
