/** `devmapper luks add-key`. */

import { randomSecret } from '../../crypto/random.ts';
import type { Secret } from '../../crypto/secret.ts';
import type { AddKeyRequest } from '../../formats/luks/types.ts';
import type { LuksImage } from '../../mapper/luks/image.ts';
import {
  type LuksCommand,
  type LuksInvocation,
  NEW_KEY_OPTIONS,
  PBKDF_OPTIONS,
  UNLOCK_OPTIONS,
} from './command.ts';
import { withImage } from './image.ts';
import { readKeyFile } from './key-file.ts';
import type { LuksOptions } from './option-table.ts';
import { processHost, readNewPassphrase } from './passphrase.ts';
import { bitsToBytes, requireLuks2, slotRequest } from './requests.ts';
import { unlock, wipeUnlocked } from './unlock.ts';
import { wrongWords } from './words.ts';

const HELP = `
Asks for a passphrase that opens the volume, or takes --key-file or --volume-key-file, then for the new one.
--key-slot and --new-key-slot together: the first is the slot to unlock with. --key-slot alone is the new one's number.

Examples:
  devmapper luks add-key disk.img                            both are asked for
  devmapper luks add-key --key-file old.bin disk.img new.bin
  printf 'old\\nnew\\n' | devmapper luks add-key -q disk.img    in scripts: two lines of standard input
  devmapper luks add-key --volume-key-file volume.key disk.img
      when no passphrase is known; devmapper luks dump --dump-volume-key writes such a file
  devmapper luks add-key --unbound --key-size 256 disk.img   a slot for a key that is not the volume's (LUKS2)
`;

export const addKeyCommand: LuksCommand = {
  name: 'add-key',
  usage: '<image> [<new_key_file>] [options]',
  summary: 'add a passphrase or key file',
  operands: [1, 2],
  options: [
    ...UNLOCK_OPTIONS,
    ...NEW_KEY_OPTIONS,
    'volume-key-file',
    'master-key-file',
    'key-slot',
    'new-key-slot',
    ...PBKDF_OPTIONS,
    'unbound',
    'key-size',
    'priority',
    'verify-passphrase',
    'tries',
    'type',
    'header',
  ],
  help: HELP,
  run: addKey,
};

async function addKey({ operands, options }: LuksInvocation): Promise<void> {
  const [path = '', newKeyFile] = operands;
  await withImage(path, options, 'header', async (image) => {
    const { volume } = image;
    const slot = newSlot(options);
    if (options.unbound) return await addUnbound(image, options, { slot, newKeyFile });
    const unlocked = await unlock(volume, {
      prompt: 'Enter any existing passphrase',
      options,
      slot: options['new-key-slot'] === undefined ? undefined : options['key-slot'],
    });
    try {
      using passphrase = await readNew(options, newKeyFile);
      await volume.addKey(unlocked.volumeKey, { ...slotRequest(options, slot), passphrase });
    } finally {
      wipeUnlocked(unlocked);
    }
  });
}

/** As cryptsetup has it since there are two options for it. */
function newSlot(options: LuksOptions): number | undefined {
  const wanted = options['new-key-slot'];
  const old = options['key-slot'];
  if (wanted !== undefined || old === undefined) return wanted;
  processHost.say('WARNING: The --key-slot parameter is used for new keyslot number.');
  return old;
}

/** The new passphrase; twice at a terminal. */
function readNew(options: LuksOptions, newKeyFile: string | undefined): Promise<Secret> {
  return readNewPassphrase(options, newKeyFile, 'Enter new passphrase for key slot');
}

const USUAL_UNBOUND_BYTES = 32;

async function addUnbound(
  image: LuksImage,
  options: LuksOptions,
  { slot, newKeyFile }: { slot: number | undefined; newKeyFile: string | undefined },
): Promise<void> {
  const luks2 = requireLuks2(image, 'unbound key slots');
  const bits = options['key-size'];
  const keyFile = options['volume-key-file'];
  if (bits === undefined && keyFile === undefined) {
    throw wrongWords(
      'Key size is required with --unbound option.',
      '--key-size BITS, or --volume-key-file',
    );
  }
  const keyBytes = bits === undefined ? USUAL_UNBOUND_BYTES : bitsToBytes('key-size', bits);
  using key = keyFile === undefined ? randomSecret(keyBytes) : await readKeyFile(keyFile);
  using passphrase = await readNew(options, newKeyFile);
  const request: AddKeyRequest = { ...slotRequest(options, slot), passphrase };
  await luks2.addUnboundKey(key, request);
}
