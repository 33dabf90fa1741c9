/** `devmapper luks reencrypt`. */

import type { LuksCommand, LuksInvocation } from './command.ts';
import { PBKDF_OPTIONS, UNLOCK_OPTIONS } from './command.ts';

const HELP = `
Works in place. It can be killed at any moment: run the same command again, and it goes on. Ctrl-C stops it between two steps. The image must not
be in use. Make a backup of the header first, and of the data if you can. --encrypt takes sectors of 512 bytes unless --sector-size says otherwise:
a partition table or a file system of small blocks would not be found behind larger ones.

Examples:
  devmapper luks reencrypt disk.img                                  another volume key
  devmapper luks reencrypt --cipher serpent-xts-plain64 disk.img     another cipher
  devmapper luks reencrypt --encrypt --reduce-device-size 32M disk.img
      encrypts an image that is not encrypted; its last 32 MiB are lost, so shrink its file system by that first
  devmapper luks reencrypt --encrypt --header disk.header disk.img   nothing moves: the header lies in a file of its own
  devmapper luks reencrypt --decrypt --header disk.header disk.img   back to plain text; disk.header is made, or used
  devmapper luks reencrypt --resume-only disk.img                    go on, or say that there is nothing to go on with
  devmapper luks reencrypt --encrypt --type luks1 --reduce-device-size 4M disk.img
      LUKS1; like every re-encryption of LUKS1 it keeps its state in disk.img.luks1-reencrypt until it is done: do not delete that file

Exit status: 0 done, 130 stopped by a signal, to be gone on with; the others as everywhere.
`;

export const reencryptCommand: LuksCommand = {
  name: 'reencrypt',
  usage: '<image> [options]',
  summary: 'encrypt, decrypt, or change the volume key in place',
  operands: [1, 2],
  options: [
    'encrypt',
    'new',
    'decrypt',
    'header',
    'reduce-device-size',
    'init-only',
    'resume-only',
    'resilience',
    'resilience-hash',
    'hotzone-size',
    'device-size',
    'keep-key',
    'cipher',
    'key-size',
    'sector-size',
    'key-slot',
    ...UNLOCK_OPTIONS,
    'verify-passphrase',
    'tries',
    ...PBKDF_OPTIONS,
    'type',
    'uuid',
    'label',
    'subsystem',
    'luks2-metadata-size',
    'luks2-keyslots-size',
    'progress-frequency',
    'progress-json',
  ],
  help: HELP,
  run: async (invocation: LuksInvocation) => {
    const { reencrypt } = await import('./reencrypt.ts');
    return await reencrypt(invocation);
  },
};
