/** `devmapper luks erase`. */

import type { LuksCommand, LuksInvocation } from './command.ts';
import { confirm } from './confirm.ts';
import { withImage } from './image.ts';

const HELP = `
Overwrites every key slot. The data cannot be read any more by anybody, unless there is a backup of the header, or somebody has
the volume key. It asks first; no passphrase is needed.

Examples:
  devmapper luks erase disk.img
  devmapper luks erase -q disk.img
`;

export const eraseCommand: LuksCommand = {
  name: 'erase',
  usage: '<image> [options]',
  summary: 'take away every key slot: nobody can open it any more',
  operands: [1, 1],
  options: ['type', 'header'],
  help: HELP,
  run: erase,
};

async function erase({ operands: [path = ''], options }: LuksInvocation): Promise<void> {
  await withImage(path, options, 'header', async ({ volume }) => {
    const warning = [
      `This operation will erase all keyslots on device ${path}.`,
      'Device will become unusable after this operation.',
    ];
    await confirm({ warning, batchMode: options['batch-mode'] === true });
    await volume.erase();
  });
}
