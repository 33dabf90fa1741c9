/** `devmapper suspend`. */

import { changeDevices } from './change.ts';
import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS } from './command.ts';
import { suspendFlags } from './flags.ts';

const HELP = `
I/O that has reached the device is finished first; what comes later waits until the device is resumed.

Examples:
  devmapper suspend disk              finish what is under way, hold the rest
  devmapper suspend --noflush disk    targets may hand back what they cannot finish; it waits too
`;

export function addSuspendCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'suspend',
    usage: '[--noflush] [--nolockfs] <device>...',
    summary: 'hold the I/O of devices',
    operands: [0, Infinity],
    options: [...DEVICE_OPTIONS, 'noflush', 'nolockfs', 'select', 'verbose'],
    help: HELP,
    run: (invocation) =>
      changeDevices(invocation, 'suspend', (client, device) =>
        client.suspend(device, suspendFlags(invocation.options)),
      ),
  });
}
