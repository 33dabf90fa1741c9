/** `devmapper load`, also called `reload`. */

import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { deviceArgument, optionDevice } from './device-argument.ts';
import { commandFailed, request } from './failure.ts';
import { readRows } from './rows.ts';
import { printVerbose } from './verbose.ts';

const HELP = `
The table waits as the inactive one until "devmapper resume" makes it live; the device goes on with the old one.
"devmapper create --help" explains tables.

Examples:
  devmapper load disk --table '0 4096 linear b.img 0'
  devmapper load disk new.table && devmapper suspend disk && devmapper resume disk
`;

export function addLoadCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'load',
    alias: 'reload',
    usage: '<device> [--table <table>|<table_file>]',
    summary: 'load an inactive table into a device',
    operands: [0, 2],
    options: [...DEVICE_OPTIONS, 'table', 'readonly', 'verbose'],
    help: HELP,
    run: load,
  });
}

async function load({ operands, options }: Invocation): Promise<void> {
  if (options.notable) throw commandFailed(['--notable only available when creating new device.']);
  const named = optionDevice(options);
  if (operands.length === 0 && named === null) throw commandFailed(['Please specify device.']);
  // With --uuid the first operand is the file already.
  const [name, file] =
    named === null || operands.length === 2 ? operands : [undefined, ...operands];
  const rows = readRows(options, file);
  await withClient(options, async (client) => {
    const device = name === undefined ? named! : await deviceArgument(client, name, options);
    const { readonly = false } = options;
    await request('reload', device, () =>
      client.load(device, rows, { readOnly: readonly, secureData: true }),
    );
    await printVerbose(client, device, options);
  });
}
