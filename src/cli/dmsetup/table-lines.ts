/** What `table`, `status` and `measure` have in common: rows of devices, as lines or as JSON. */

import type { DeviceSelector, DmClient, TableReply } from '../../control/client/dm-client.ts';
import type { RowSpec } from '../../core/table.ts';
import type { Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { forEachDevice } from './devices.ts';
import { manglingMode, unmangle } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';
import { NO_DEVICES, print, printJson } from './print.ts';
import { printVerbose } from './verbose.ts';

export interface RowsOfDevice {
  reply: TableReply;
  /** Those that --target leaves. */
  rows: readonly RowSpec[];
}

export type ReadRows = (client: DmClient, device: DeviceSelector) => Promise<TableReply>;

/** Prints each device as it comes: what was there before a failure is told. */
export function printRows(invocation: Invocation, read: ReadRows): Promise<void> {
  const { options } = invocation;
  const devices: object[] = [];
  return withClient(options, async (client) => {
    const count = await forEachDevice(
      client,
      invocation,
      async (device, { single }) => {
        const found = chooseRows(await read(client, device), options);
        if (options.json) devices.push(...jsonOf(found, options));
        else if (found !== null) {
          await printVerbose(client, device, options);
          print(textOf(found, single, options));
        }
      },
      { everyDevice: true },
    );
    if (options.json) printJson({ devices });
    else if (count === 0) print(NO_DEVICES);
  });
}

/** null: --target leaves nothing, and the device is not told of. */
export function chooseRows(reply: TableReply, { target }: DmsetupOptions): RowsOfDevice | null {
  if (target === undefined) return { reply, rows: reply.rows };
  const rows = reply.rows.filter(({ type }) => type === target);
  return rows.length === 0 ? null : { reply, rows };
}

function textOf({ reply, rows }: RowsOfDevice, single: boolean, options: DmsetupOptions): string {
  const name = unmangle(reply.device.name, 'name', manglingMode(options));
  // With -v the name stands above already.
  const prefix = single || options.verbose ? '' : `${name}: `;
  const behind = options.verbose && !single ? '\n' : '';
  // A device without a table has one empty line.
  const lines = rows.length === 0 ? [''] : rows.map(rowText);
  return lines.map((line) => `${prefix}${line}\n`).join('') + behind;
}

/** Without arguments the blank behind the type stays, as in the kernel's text. */
export function rowText({ start, length, type, params }: RowSpec): string {
  return `${start} ${length} ${type} ${params}`;
}

function jsonOf(found: RowsOfDevice | null, options: DmsetupOptions): object[] {
  if (found === null) return [];
  const { name, uuid, number } = found.reply.device;
  const mode = manglingMode(options);
  return [
    {
      name: unmangle(name, 'name', mode),
      uuid: unmangle(uuid, 'UUID', mode),
      major: number.major,
      minor: number.minor,
      rows: found.rows,
    },
  ];
}
