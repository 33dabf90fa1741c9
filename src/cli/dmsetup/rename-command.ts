/** `devmapper rename`. */

import type { DeviceSelector } from '../../control/client/dm-client.ts';
import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import {
  deviceArgument,
  MOST_NAME_BYTES,
  missingDevice,
  newName,
  optionDevice,
} from './device-argument.ts';
import { commandFailed, request } from './failure.ts';
import { mangle, manglingMode } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';

const HELP = `
Examples:
  devmapper rename disk old-disk
  devmapper rename disk --setuuid 3f1e9a    once only: a uuid that is set stays
`;

export function addRenameCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'rename',
    usage: '<device> [--setuuid] <new_name_or_uuid>',
    summary: 'give a device another name, or a uuid',
    operands: [1, 2],
    options: [...DEVICE_OPTIONS, 'setuuid'],
    help: HELP,
    run: rename,
  });
}

async function rename({ operands, options }: Invocation): Promise<void> {
  const wanted = operands.at(-1)!;
  const named = optionDevice(options);
  if (operands.length === 1 && named === null) missingDevice();
  const change = options.setuuid
    ? { uuid: mangle(wanted, 'UUID', manglingMode(options)) }
    : { name: checkedName(wanted, options) };
  await withClient(options, async (client) => {
    const device: DeviceSelector =
      operands.length === 1 ? named! : await deviceArgument(client, operands[0]!, options);
    await request('rename', device, () =>
      'uuid' in change ? client.setUuid(device, change.uuid) : client.rename(device, change.name),
    );
  });
}

/** dmsetup has words of its own here for names that `create` refuses otherwise. */
function checkedName(name: string, options: DmsetupOptions): string {
  if (name === '') throw commandFailed(['Non empty new name is required.']);
  if (Buffer.byteLength(name) > MOST_NAME_BYTES) {
    throw commandFailed([`Name "${name}" too long`]);
  }
  return newName(name, options);
}
