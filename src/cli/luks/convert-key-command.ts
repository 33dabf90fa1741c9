/** `devmapper luks convert-key`: the same passphrase, another derivation. */

import { Secret } from '../../crypto/secret.ts';
import { type LuksCommand, type LuksInvocation, PBKDF_OPTIONS, UNLOCK_OPTIONS } from './command.ts';
import { withImage } from './image.ts';
import { requireLuks2, slotRequest } from './requests.ts';
import { unlock, wipeUnlocked } from './unlock.ts';

const HELP = `
The passphrase stays; how it becomes a key changes: another pbkdf, another cost.

Examples:
  devmapper luks convert-key --pbkdf argon2id disk.img
  devmapper luks convert-key --key-slot 1 --iter-time 5000 disk.img
  devmapper luks convert-key --pbkdf pbkdf2 --hash sha512 --key-file key.bin disk.img
      for a boot loader that knows nothing else
`;

export const convertKeyCommand: LuksCommand = {
  name: 'convert-key',
  usage: '<image> [options]',
  summary: 'change the cost of a key slot (LUKS2)',
  operands: [1, 2],
  options: [...UNLOCK_OPTIONS, 'key-slot', ...PBKDF_OPTIONS, 'tries', 'header'],
  help: HELP,
  run: convertKey,
};

async function convertKey({ operands, options }: LuksInvocation): Promise<void> {
  const [path = '', keyFile] = operands;
  const given = keyFile === undefined ? options : { ...options, 'key-file': keyFile };
  await withImage(path, options, 'header', async (image) => {
    const luks2 = requireLuks2(image, 'choice of key derivation');
    const prompt = 'Enter passphrase for keyslot to be converted';
    const wanted = options['key-slot'];
    const unlocked = await unlock(luks2, { prompt, options: given, slot: wanted });
    try {
      using passphrase = Secret.from(unlocked.passphrase!.bytes);
      const request = { ...slotRequest(options, wanted), passphrase };
      await luks2.changeKey(unlocked.volumeKey, unlocked.slot!, request);
    } finally {
      wipeUnlocked(unlocked);
    }
  });
}
