/** `devmapper luks repair`. */

import { repairImage } from '../../mapper/luks/repair.ts';
import { type LuksCommand, type LuksInvocation, UNLOCK_OPTIONS } from './command.ts';
import { confirm } from './confirm.ts';
import { openFailure } from './image.ts';
import { keyFileOf, processHost, readPassphrase } from './passphrase.ts';

const HELP = `
LUKS2 has two copies of its header; where one is damaged or old, the other one is written over it. A re-encryption that was killed in
the middle of a step is brought back to a whole number of steps: that needs the passphrase. Key slots are not touched.

Examples:
  devmapper luks header-backup --header-backup-file before-repair.header disk.img
  devmapper luks repair disk.img
`;

export const repairCommand: LuksCommand = {
  name: 'repair',
  usage: '<image> [options]',
  summary: 'put a damaged header right',
  operands: [1, 1],
  options: [...UNLOCK_OPTIONS, 'key-slot', 'verify-passphrase', 'type', 'header'],
  help: HELP,
  run: repair,
};

async function repair({ operands: [path = ''], options }: LuksInvocation): Promise<void> {
  const { header } = options;
  const target = header ?? path;
  const batchMode = options['batch-mode'] === true;
  try {
    const done = await repairImage(path, {
      ...(header !== undefined && { header }),
      approve: (what) => confirm({ warning: [what], batchMode }),
      passphrase: () =>
        readPassphrase({ ...keyFileOf(options), prompt: `Enter passphrase for ${target}` }),
    });
    processHost.say(done);
  } catch (error) {
    throw await openFailure(error, target);
  }
}
