/** `devmapper ls`. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { DeviceEntry, DmClient } from '../../control/client/dm-client.ts';
import { formatDeviceNumber } from '../../core/device.ts';
import { stateFolder } from '../../system/state-folder.ts';
import { addDmsetupCommand, type CommandHost, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { deviceWord, openBlockNames } from './deps-names.ts';
import { commandFailed, request } from './failure.ts';
import { readShownName, readTreeOptions, type ShownName } from './ls-options.ts';
import { manglingMode, unmangle } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';
import { NO_DEVICES, print, printJson } from './print.ts';

const HELP = `
-o is devno, blkdevname or devname. With --tree: ascii, utf, vt100, compact, inverted, notrunc; blkdevname, [no]device,
active, open, rw and uuid. Words may be cut short, several are separated by commas.

Examples:
  devmapper ls
  devmapper ls --tree -o uuid,open
  devmapper ls --tree -o inverted,compact     what uses what, from below
  devmapper ls --target crypt
  devmapper ls --json
`;

export function addLsCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'ls',
    usage: '[--target <target_type>] [--exec <command>] [-o <options>] [--tree]',
    summary: 'list the devices',
    operands: [0, 0],
    options: ['target', 'exec', 'options', 'tree', 'inactive', 'manglename', 'json'],
    help: HELP,
    run: list,
  });
}

async function list({ options }: Invocation): Promise<void> {
  const isTree = options.tree && options.target === undefined && options.exec === undefined;
  const shown = options.tree ? 'devno' : readShownName(options.options);
  if (options.tree) readTreeOptions(options.options, false);
  await withClient(options, async (client) => {
    const entries = await request('names', {}, () => client.list());
    if (entries.length === 0 && !options.json) return print(NO_DEVICES);
    if (isTree) return (await import('./tree-command.ts')).printTree(client, options);
    const { target } = options;
    const devices = target === undefined ? entries : await withTarget(client, entries, target);
    if (options.json) printJson({ devices: devices.map((entry) => describe(entry, options)) });
    else if (options.exec !== undefined) runForEach(client, devices, options.exec, options);
    else if (target !== undefined)
      print(devices.map((entry) => tableLine(entry, options)).join(''));
    else await printNames(client, devices, shown, options);
  });
}

/** Devices with a live row of this type. */
async function withTarget(
  client: DmClient,
  entries: readonly DeviceEntry[],
  type: string,
): Promise<DeviceEntry[]> {
  const chosen: DeviceEntry[] = [];
  for (const entry of entries) {
    const { name } = entry;
    const query = { kind: 'status', noflush: true } as const;
    const { rows } = await request('status', { name }, () => client.table({ name }, query));
    if (rows.some((row) => row.type === type)) chosen.push(entry);
  }
  return chosen;
}

function shownNameOf({ name }: DeviceEntry, options: DmsetupOptions): string {
  return unmangle(name, 'name', manglingMode(options));
}

function tableLine(entry: DeviceEntry, options: DmsetupOptions): string {
  const { major, minor } = entry.number;
  return `${shownNameOf(entry, options)}\t(${major}, ${minor})\n`;
}

async function printNames(
  client: DmClient,
  entries: readonly DeviceEntry[],
  shown: ShownName,
  options: DmsetupOptions,
): Promise<void> {
  const names = shown === 'devno' ? null : await openBlockNames(client);
  const lines = entries.map(async (entry) => {
    const { number } = entry;
    const word = names ? await deviceWord(names, shown, number) : formatDeviceNumber(number);
    return `${shownNameOf(entry, options)}\t(${word})\n`;
  });
  print((await Promise.all(lines)).join(''));
}

function describe(entry: DeviceEntry, options: DmsetupOptions) {
  const { number, uuid, eventNumber } = entry;
  return {
    name: shownNameOf(entry, options),
    number: formatDeviceNumber(number),
    ...(uuid !== null && { uuid: unmangle(uuid, 'UUID', 'auto') }),
    eventNumber,
  };
}

/** Words are separated by white space, and nothing quotes: as in dmsetup. The device's path is the last one. Statuses do not matter. */
function runForEach(
  client: DmClient,
  entries: readonly DeviceEntry[],
  command: string,
  options: DmsetupOptions,
): void {
  const [program, ...words] = command.split(/\s+/).filter((word) => word !== '');
  if (program === undefined) throw commandFailed([]);
  for (const entry of entries) {
    spawnSync(program, [...words, devicePath(client, entry, options)], { stdio: 'inherit' });
  }
}

/** Ours are files below the state folder, under the names that the mapper has; dmsetup prints the kernel's under the shown name. */
function devicePath({ backend }: DmClient, entry: DeviceEntry, options: DmsetupOptions): string {
  const folder = process.env['DM_DEV_DIR'];
  if (folder !== undefined) return join(folder, 'mapper', entry.name);
  if (backend === 'kernel') return `/dev/mapper/${shownNameOf(entry, options)}`;
  return join(stateFolder(), 'mapper', entry.name);
}
