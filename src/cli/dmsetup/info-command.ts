/** `devmapper info`: some lines about each device, or with -c a report. */

import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import { formatDeviceNumber } from '../../core/device.ts';
import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { forEachDevice } from './devices.ts';
import { readStatus } from './info-facts.ts';
import { printInfo } from './info-text.ts';
import { readShownName } from './ls-options.ts';
import { manglingMode, unmangle } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';
import { NO_DEVICES, print, printJson } from './print.ts';
import { REPORT_OPTIONS } from './report-options.ts';

const HELP = `
-c prints a line for each device. Which columns: -o, "-o help" lists them, "-o +uuid" adds to the usual ones. In which order:
-O name,-open. Which devices: -S 'open>0 && name=~^vg', "-S help" explains. docs/reports.md has all of it.

Examples:
  devmapper info disk
  devmapper info -c
  devmapper info -c -o name,uuid,devs_used -S 'uuid=~^LVM-'
  devmapper info -c --noheadings --separator ' ' -o name
  devmapper info --json
`;

export function addInfoCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'info',
    usage: '[-c [-o <fields>] [-O <sort_fields>] [-S <selection>]] [<device>...]',
    summary: 'print how devices are',
    operands: [0, Infinity],
    options: [
      'columns',
      ...REPORT_OPTIONS,
      'unbuffered',
      ...DEVICE_OPTIONS,
      'inactive',
      'noopencount',
      'manglename',
      'json',
    ],
    help: HELP,
    run: info,
  });
}

function info(invocation: Invocation): Promise<void> | void {
  const { options } = invocation;
  if (options.columns) return reportInfo(invocation);
  readShownName(options.options);
  return withClient(options, (client) => printBlocks(client, invocation));
}

async function reportInfo(invocation: Invocation): Promise<void> {
  const { printInfoReport } = await import('./info-report.ts');
  await printInfoReport(invocation);
}

async function printBlocks(client: DmClient, invocation: Invocation): Promise<void> {
  const { options, operands } = invocation;
  const { select, ...others } = options; // means nothing without -c, as in dmsetup
  const described: object[] = [];
  const visit = async (device: DeviceSelector) => {
    if (options.json) described.push(await describe(client, device, options));
    else await printInfo(client, device, options);
  };
  const count = await forEachDevice(client, { operands, options: others }, visit, {
    everyDevice: true,
  });
  if (options.json) printJson({ devices: described });
  else if (count === 0) print(NO_DEVICES);
}

async function describe(client: DmClient, device: DeviceSelector, options: DmsetupOptions) {
  const { number, ...status } = await readStatus(client, device, options);
  const name = unmangle(status.name, 'name', manglingMode(options));
  const uuid = unmangle(status.uuid, 'UUID', manglingMode(options));
  return { ...status, name, uuid, number: formatDeviceNumber(number) };
}
