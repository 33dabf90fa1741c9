/** `devmapper table`. */

import type { DeviceSelector, DmClient, TableReply } from '../../control/client/dm-client.ts';
import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { forEachDevice } from './devices.ts';
import { request } from './failure.ts';
import { manglingMode, unmangle } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';
import { NO_DEVICES, print } from './print.ts';
import { hideKeys } from './table-keys.ts';
import { chooseRows, printRows, rowText } from './table-lines.ts';

const HELP = `
What it prints can be loaded again. Without a device: of all of them, each line with the name in front.

Examples:
  devmapper table disk                    the live table
  devmapper table --inactive disk         the one that waits for "resume"
  devmapper table --concise > devices     all devices, for "create --concise" or "daemon --tab devices"
  devmapper table --json
`;

export function addTableCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'table',
    usage: '[--concise] [--inactive] [--target <target_type>] [--showkeys] [<device>...]',
    summary: 'print tables',
    operands: [0, Infinity],
    options: [
      ...DEVICE_OPTIONS,
      'concise',
      'inactive',
      'target',
      'showkeys',
      'select',
      'manglename',
      'verbose',
      'json',
    ],
    help: HELP,
    run: (invocation) =>
      invocation.options.concise && !invocation.options.json
        ? printConcise(invocation)
        : printRows(invocation, (client, device) => readTable(client, device, invocation.options)),
  });
}

async function readTable(
  client: DmClient,
  device: DeviceSelector,
  { inactive = false, showkeys }: DmsetupOptions,
): Promise<TableReply> {
  const query = { kind: 'table', inactive, secureData: true } as const;
  const reply = await request('table', device, () => client.table(device, query));
  return showkeys ? reply : { ...reply, rows: reply.rows.map(hideKeys) };
}

async function printConcise(invocation: Invocation): Promise<void> {
  const { options } = invocation;
  const { formatConcise } = await import('../../control/client/concise.ts');
  const mode = manglingMode(options);
  const texts: string[] = [];
  await withClient(options, async (client) => {
    const visit = async (device: DeviceSelector) => {
      const found = chooseRows(await readTable(client, device, options), options);
      if (found === null) return;
      const { name, uuid, number, readOnly } = found.reply.device;
      texts.push(
        formatConcise([
          {
            name: unmangle(name, 'name', mode),
            uuid: unmangle(uuid, 'UUID', mode),
            minor: number.minor,
            readOnly,
            rows: found.rows.map(rowText),
          },
        ]),
      );
    };
    const count = await forEachDevice(client, invocation, visit, { everyDevice: true });
    if (count === 0) print(NO_DEVICES);
    else if (texts.length > 0) print(`${texts.join(';')}\n`);
  });
}
