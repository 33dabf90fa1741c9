/** `devmapper luks remove-key`: by the passphrase. */

import { type LuksCommand, type LuksInvocation, UNLOCK_OPTIONS } from './command.ts';
import { withImage } from './image.ts';
import { confirmLastSlot, isLastSlot } from './last-slot.ts';
import { unlock, wipeUnlocked } from './unlock.ts';

const HELP = `
The slot that the passphrase opens is overwritten. Before the last one goes it asks: nobody can open the volume then.

Examples:
  devmapper luks remove-key disk.img                 the passphrase is asked for
  devmapper luks remove-key disk.img old.bin         what the key file opens
`;

export const removeKeyCommand: LuksCommand = {
  name: 'remove-key',
  usage: '<image> [<key_file>] [options]',
  summary: 'take away a passphrase or key file',
  operands: [1, 2],
  options: [...UNLOCK_OPTIONS, 'verify-passphrase', 'tries', 'type', 'header'],
  help: HELP,
  run: removeKey,
};

async function removeKey({ operands, options }: LuksInvocation): Promise<void> {
  const [path = '', keyFile] = operands;
  const given = keyFile === undefined ? options : { ...options, 'key-file': keyFile };
  await withImage(path, options, 'header', async ({ volume }) => {
    const prompt = 'Enter passphrase to be deleted';
    const verify = options['verify-passphrase'] === true;
    const unlocked = await unlock(volume, { prompt, options: given, verify });
    wipeUnlocked(unlocked);
    const slot = unlocked.slot!;
    if (isLastSlot(volume, slot)) await confirmLastSlot(options);
    await volume.killSlot(slot);
    if (options.verbose) process.stderr.write(`devmapper: Key slot ${slot} removed.\n`);
  });
}
