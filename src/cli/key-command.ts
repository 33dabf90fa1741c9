/** `devmapper key`: the keys that tables of the daemon refer to. */

import type { Command } from 'commander';

interface AddOptions {
  keyFile?: string;
  fd?: string;
}

const KEY_HELP = `
A table names a key instead of holding it: crypt's <key> is then :<bytes>:logon:<description>. The daemon keeps keys in memory only and shows
them to nobody; a device has a copy of its own, so a key that is removed stays in use until the device goes.

Examples:
  head -c 64 /dev/urandom | devmapper key add app:disk
  devmapper create secret --table "0 131072 crypt aes-xts-plain64 :64:logon:app:disk 0 /srv/disk.img 0"
  devmapper key remove app:disk`;

const ADD_HELP = `
The description is PREFIX:NAME. The key is read from standard input unless --key-file or --fd says otherwise, as it is: every byte counts, a newline
at its end too. It is never an argument, which everybody could see. A daemon is started if none runs.

Examples:
  devmapper key add --key-file disk.key app:disk
  openssl rand 64 | devmapper key add app:disk
  devmapper key add --fd 3 app:disk 3<disk.key`;

export function addKeyCommand(program: Command): void {
  const key = program
    .command('key')
    .description('keys that tables refer to')
    .addHelpText('after', KEY_HELP);
  key
    .command('add')
    .argument('<description>', 'PREFIX:NAME')
    .description('give the daemon a key, or another one of the same name')
    .option('--key-file <file>', 'read it from a file')
    .option('--fd <number>', 'read it from a descriptor')
    .addHelpText('after', ADD_HELP)
    .action(async (description: string, options: AddOptions) => {
      const { addKey } = await import('./key/key.ts');
      await addKey(description, options);
    });
  key
    .command('list')
    .description('which keys there are, and how long')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExamples:\n  devmapper key list\n  devmapper key list --json')
    .action(async (options: { json?: boolean }) => {
      const { listKeys } = await import('./key/key.ts');
      await listKeys(options);
    });
  key
    .command('remove')
    .argument('<description>', 'PREFIX:NAME')
    .description('overwrite a key of the daemon')
    .addHelpText('after', '\nExamples:\n  devmapper key remove app:disk')
    .action(async (description: string) => {
      const { removeKey } = await import('./key/key.ts');
      await removeKey(description);
    });
}
