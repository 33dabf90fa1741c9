/** `devmapper luks change-key`. */

import {
  type LuksCommand,
  type LuksInvocation,
  NEW_KEY_OPTIONS,
  PBKDF_OPTIONS,
  UNLOCK_OPTIONS,
} from './command.ts';
import { withImage } from './image.ts';
import { readNewPassphrase } from './passphrase.ts';
import { slotRequest } from './requests.ts';
import { unlock, wipeUnlocked } from './unlock.ts';

const HELP = `
At every moment the old passphrase or the new one opens the volume, unless there is no room beside the old one: where all eight key slots
(LUKS1) or the whole key slots area (LUKS2) are in use, the new one is written over it, as with cryptsetup, and should the power fail just then,
only the other key slots open the volume; header-backup first, or remove-key a slot. With --key-slot the new passphrase stays in that slot.

Examples:
  devmapper luks change-key disk.img
  devmapper luks change-key --key-slot 1 --key-file old.bin disk.img new.bin
  printf 'old\\nnew\\n' | devmapper luks change-key -q disk.img
`;

export const changeKeyCommand: LuksCommand = {
  name: 'change-key',
  usage: '<image> [<new_key_file>] [options]',
  summary: 'replace a passphrase or key file by another one',
  operands: [1, 2],
  options: [
    ...UNLOCK_OPTIONS,
    ...NEW_KEY_OPTIONS,
    'key-slot',
    ...PBKDF_OPTIONS,
    'verify-passphrase',
    'tries',
    'type',
    'header',
  ],
  help: HELP,
  run: changeKey,
};

async function changeKey({ operands, options }: LuksInvocation): Promise<void> {
  const [path = '', newKeyFile] = operands;
  await withImage(path, options, 'header', async ({ volume }) => {
    const wanted = options['key-slot'];
    const prompt = 'Enter passphrase to be changed';
    const unlocked = await unlock(volume, { prompt, options, slot: wanted });
    try {
      using passphrase = await readNewPassphrase(options, newKeyFile, 'Enter new passphrase');
      const request = { ...slotRequest(options, wanted), passphrase };
      await volume.changeKey(unlocked.volumeKey, unlocked.slot!, request);
    } finally {
      wipeUnlocked(unlocked);
    }
  });
}
