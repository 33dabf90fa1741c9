/** `devmapper mangle`. */

import { DmError } from '../../base/errors.ts';
import type { DeviceSelector, DeviceStatus, DmClient } from '../../control/client/dm-client.ts';
import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { forEachDevice } from './devices.ts';
import { commandFailed, DmsetupFailure, reasonLine, request } from './failure.ts';
import { isMangledTwice, type ManglingMode, mangle, manglingMode, unmangle } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';
import { NO_DEVICES, print } from './print.ts';

const HELP = `
Names that were made with --manglename none are renamed as the mode now asks, so that they hold only 0-9A-Za-z#+-.:=@_.

Examples:
  devmapper mangle                       every device
  devmapper mangle --manglename none     back to plain names
`;

export function addMangleCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'mangle',
    usage: '[--manglename {none|hex|auto}] [<device>...]',
    summary: 'rename devices so that their names suit udev',
    operands: [0, Infinity],
    options: [...DEVICE_OPTIONS, 'manglename', 'select'],
    help: HELP,
    run: mangleDevices,
  });
}

/** Unlike other commands it goes on behind a device that it cannot help. */
async function mangleDevices(invocation: Invocation): Promise<void> {
  const failures: string[] = [];
  const { options } = invocation;
  await withClient(options, async (client) => {
    const visit = async (device: DeviceSelector) => {
      failures.push(...(await mangleDevice(client, device, options)));
    };
    // Names are those that the device mapper has.
    const asTheyAre = { ...invocation, options: { ...options, manglename: 'none' } };
    const count = await forEachDevice(client, asTheyAre, visit, { everyDevice: true });
    if (count === 0) print(NO_DEVICES);
  });
  if (failures.length > 0) throw commandFailed(failures);
}

/** Returns what is wrong with it. */
async function mangleDevice(
  client: DmClient,
  device: DeviceSelector,
  options: DmsetupOptions,
): Promise<string[]> {
  const mode = manglingMode(options);
  const status = await statusOf(client, device);
  const { name, uuid } = status;
  const problems = problemsOf(status, mode);
  if (problems.length > 0) return problems;
  const wanted = wantedForm(name, 'name', mode);
  const shownUuid = uuid === '' ? '[no UUID]' : uuid;
  if (wanted === name) {
    print(`${name}: ${shownUuid}: name ${uuid === '' ? '' : 'and UUID '}already in correct form\n`);
    return [];
  }
  print(`${name}: renaming to ${wanted}\n`);
  await request('rename', { name }, () => client.rename({ name }, wanted));
  return [];
}

/** dmsetup does not say what failed; ours does in the line below. */
async function statusOf(client: DmClient, device: DeviceSelector): Promise<DeviceStatus> {
  try {
    return await client.status(device);
  } catch (error) {
    if (error instanceof DmError) throw commandFailed([reasonLine(error.message)], error);
    throw error;
  }
}

function problemsOf({ name, uuid }: DeviceStatus, mode: ManglingMode): string[] {
  const twice = 'seems to be mangled more than once. Manual intervention required to';
  if (mode === 'auto' && isMangledTwice(name)) {
    return [`The name "${name}" ${twice} rename the device.`];
  }
  if (mode === 'auto' && isMangledTwice(uuid)) {
    return [`The UUID "${uuid}" ${twice} correct the device UUID.`];
  }
  if (wantedForm(uuid, 'UUID', mode) === uuid) return [];
  return [
    `${name}: ${uuid}: UUID in incorrect form. `,
    'Unable to change device UUID. The device must be deactivated first.',
  ];
}

/** The name as it would be had it been made in this mode. */
function wantedForm(text: string, kind: 'name' | 'UUID', mode: ManglingMode): string {
  try {
    const plain = unmangle(text, kind, mode === 'auto' ? 'auto' : 'hex');
    return mode === 'none' ? plain : mangle(plain, kind, 'hex');
  } catch (error) {
    // It was never mangled: what is there is the plain name.
    if (!(error instanceof DmsetupFailure)) throw error;
    return mode === 'none' ? text : mangle(text, kind, mode);
  }
}
