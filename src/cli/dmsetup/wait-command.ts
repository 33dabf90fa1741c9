/** `devmapper wait`. */

import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { deviceArgument, missingDevice, optionDevice } from './device-argument.ts';
import { request } from './failure.ts';
import { printJson } from './print.ts';
import { printVerbose } from './verbose.ts';

const HELP = `
Events are what targets report (a mirror has lost a leg, a snapshot is full) and renaming. "devmapper info" shows the counter.

Examples:
  devmapper wait disk 3     until the event counter of disk is not 3 any more
  devmapper wait -v disk 3  and then print how the device is
`;

export function addWaitCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'wait',
    usage: '[--noflush] <device> [<event_nr>]',
    summary: 'wait for an event of a device',
    operands: [0, 2],
    options: [...DEVICE_OPTIONS, 'noflush', 'verbose', 'json'],
    help: HELP,
    run: wait,
  });
}

async function wait({ operands, options }: Invocation): Promise<void> {
  const named = optionDevice(options);
  const [name, text] =
    named === null || operands.length === 2 ? operands : [undefined, ...operands];
  if (name === undefined && named === null) missingDevice();
  const event = Number(/^\s*\d+/.exec(text ?? '')?.[0] ?? 0);
  await withClient(options, async (client) => {
    const device = name === undefined ? named! : await deviceArgument(client, name, options);
    const { noflush = false } = options;
    const reply = await request('waitevent', device, () =>
      client.wait(device, event, { kind: 'status', noflush }),
    );
    const { name: found, eventNumber } = reply.device;
    if (options.json) printJson({ name: found, eventNumber, rows: reply.rows });
    else await printVerbose(client, device, options);
  });
}
