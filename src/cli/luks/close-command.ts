/** `devmapper luks close`. */

import { DmError } from '../../base/errors.ts';
import type { DmClient } from '../../control/client/dm-client.ts';
import { openClient } from '../dmsetup/connect.ts';
import { CommandError } from '../failure.ts';
import type { LuksCommand, LuksInvocation } from './command.ts';
import { findCryptDevice } from './crypt-device.ts';
import { BUSY } from './status.ts';
import { wrongWords } from './words.ts';

const HELP = `
The device goes, its key is overwritten, and the image is free again. Nothing is written but what was still to be flushed.

Examples:
  devmapper luks close secret
  devmapper luks close --deferred secret             as soon as its last user has closed it
  devmapper luks close --cancel-deferred secret
`;

export const closeCommand: LuksCommand = {
  name: 'close',
  usage: '<name> [options]',
  summary: 'remove the device of an encrypted image',
  operands: [1, 1],
  options: ['deferred', 'cancel-deferred'],
  help: HELP,
  run: close,
};

async function close({ operands: [name = ''], options }: LuksInvocation): Promise<void> {
  if (options.deferred && options['cancel-deferred']) {
    throw wrongWords('Options --deferred and --cancel-deferred cannot be combined.');
  }
  await using client = await openClient();
  const device = await findCryptDevice(client, name);
  if (options['cancel-deferred']) {
    await client.message({ name: device.name }, 0, '@cancel_deferred_remove');
    return;
  }
  if (options.deferred && device.openCount > 0) {
    await client.remove({ name: device.name }, { deferred: true });
    const line = `Device ${name} is still active and scheduled for deferred removal.`;
    process.stderr.write(`devmapper: ${line}\n`);
    return;
  }
  await remove(client, device.name);
}

async function remove(client: DmClient, name: string): Promise<void> {
  try {
    await client.remove({ name });
  } catch (error) {
    if (!(error instanceof DmError) || error.code !== 'EBUSY') throw error;
    throw new CommandError(`Device ${name} is still in use.`, {
      status: BUSY,
      details: [
        'an NBD client, a FUSE user or another device has it open',
        `devmapper luks close --deferred ${name}: when the last one is gone`,
      ],
      cause: error,
    });
  }
}
