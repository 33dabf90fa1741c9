/** What `devmapper key` does. The key goes from the descriptor to the daemon in bytes: it is never a string. */

import { isatty } from 'node:tty';
import type { KeyInfo } from '../../core/keyring.ts';
import type { Secret } from '../../crypto/secret.ts';
import { openClient } from '../dmsetup/connect.ts';
import { print, printJson } from '../dmsetup/print.ts';
import { CommandError } from '../failure.ts';
import { readKey, readKeyFile } from '../luks/key-file.ts';

/** As long as any cipher's, and more than the daemon takes. */
const MAX_KEY_BYTES = 4096;

export async function addKey(
  description: string,
  { keyFile, fd }: { keyFile?: string; fd?: string },
): Promise<void> {
  if (keyFile !== undefined && fd !== undefined) {
    throw new CommandError('Cannot add key: --key-file and --fd name two keys');
  }
  checkDescription(description);
  using key = await readInput(keyFile, fd);
  if (key.lengthBytes === 0 || key.lengthBytes > MAX_KEY_BYTES) {
    const got = key.lengthBytes === 0 ? 'none' : `${key.lengthBytes}`;
    throw new CommandError(`Cannot add key: expected 1 to ${MAX_KEY_BYTES} bytes, got ${got}`);
  }
  await using client = await openClient({ start: true });
  await client.daemon('key-add', { description, payload: key.bytes });
}

/** Before anybody waits for the key; the daemon's keyring says what else is wrong. */
function checkDescription(description: string): void {
  if (/^[^:\s]+:\S+$/.test(description)) return;
  throw new CommandError(
    `Cannot add key "${description}": expected "PREFIX:NAME" without white space`,
    { details: ['for example: devmapper key add app:disk'] },
  );
}

async function readInput(keyFile: string | undefined, fd: string | undefined): Promise<Secret> {
  if (keyFile !== undefined && keyFile !== '-') return await readKeyFile(keyFile);
  if (fd === undefined) {
    if (isatty(process.stdin.fd)) throw noTyping();
    return await readKey(process.stdin.fd, { name: 'standard input' });
  }
  if (!/^\d{1,6}$/.test(fd)) {
    throw new CommandError(`Cannot add key: --fd expected a number, got "${fd}"`);
  }
  return await readKey(Number(fd), { name: `descriptor ${fd}` });
}

/** A key is bytes, not a passphrase, and what is typed could be seen. */
function noTyping(): CommandError {
  return new CommandError('Cannot add key: standard input is a terminal', {
    details: [
      'a key is taken as it is, byte by byte: pipe it in, or give --key-file FILE',
      'for passphrases: devmapper luks',
    ],
  });
}

export async function listKeys({ json = false }: { json?: boolean }): Promise<void> {
  await using client = await openClient({});
  const keys = (await client.daemon('key-list')) as KeyInfo[];
  if (json) printJson(keys);
  else print(keys.map((key) => `${key.description}\t${key.lengthBytes} bytes\n`).join(''));
}

export async function removeKey(description: string): Promise<void> {
  await using client = await openClient({});
  await client.daemon('key-remove', { description });
}
