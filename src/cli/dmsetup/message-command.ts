/** `devmapper message`. */

import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { deviceArgument, optionDevice } from './device-argument.ts';
import { commandFailed, request } from './failure.ts';
import { print, printJson } from './print.ts';

const HELP = `
The sector says which row of the table is meant; 0 where it does not matter. The words are joined by spaces.

Examples:
  devmapper message pool 0 create_thin 0
  devmapper message disk 0 @stats_list
`;

export function addMessageCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'message',
    usage: '<device> <sector> <message>',
    summary: 'send a message to a target',
    operands: [2, Infinity],
    options: [...DEVICE_OPTIONS, 'json'],
    help: HELP,
    run: message,
  });
}

async function message({ operands, options }: Invocation): Promise<void> {
  const named = optionDevice(options);
  const [name, sector, ...words] = named === null ? operands : ['', ...operands];
  if (sector === undefined || !/^\d+$/.test(sector)) throw commandFailed(['Invalid sector.']);
  // As dmsetup: it is sent all the same, and refused.
  const before = words.length === 0 ? ['No message supplied.'] : [];
  const text = words.join(' ');
  await withClient(options, async (client) => {
    const device = named === null ? await deviceArgument(client, name ?? '', options) : named;
    const send = () => client.message(device, Number(sector), text);
    const reply = await request('message', device, send, before);
    if (options.json) printJson({ reply });
    else if (reply) print(reply.endsWith('\n') ? reply : `${reply}\n`);
  });
}
