/** `devmapper clear`. */

import { changeDevices } from './change.ts';
import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS } from './command.ts';

const HELP = `
Examples:
  devmapper clear disk    forget the table that "load" has put there and "resume" has not taken
`;

export function addClearCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'clear',
    usage: '<device>',
    summary: 'drop the inactive table of a device',
    operands: [0, Infinity],
    options: [...DEVICE_OPTIONS, 'select', 'verbose'],
    help: HELP,
    run: (invocation) =>
      changeDevices(invocation, 'clear', (client, device) => client.clear(device)),
  });
}
