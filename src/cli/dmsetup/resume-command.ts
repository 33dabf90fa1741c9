/** `devmapper resume`. */

import { changeDevices } from './change.ts';
import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS } from './command.ts';
import { suspendFlags } from './flags.ts';
import { setReadAhead } from './read-ahead.ts';

const HELP = `
An inactive table becomes the live one; I/O that was held goes on with it.

Examples:
  devmapper resume disk                                  let the I/O go on
  devmapper load disk new.table && devmapper resume disk    swap the table of a device in use
`;

export function addResumeCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'resume',
    usage:
      '[--noflush] [--nolockfs] [--addnodeonresume|--addnodeoncreate] [--readahead {[+]<sectors>|auto|none}] <device>...',
    summary: 'let the I/O of devices go on, with the table that was loaded last',
    operands: [0, Infinity],
    options: [
      ...DEVICE_OPTIONS,
      'noflush',
      'nolockfs',
      'readahead',
      'addnodeonresume',
      'addnodeoncreate',
      'select',
      'verbose',
    ],
    help: HELP,
    run: (invocation) =>
      changeDevices(invocation, 'resume', async (client, device) => {
        const { options } = invocation;
        const { number } = await client.resume(device, suspendFlags(options));
        await setReadAhead(client, number, options.readahead);
      }),
  });
}
