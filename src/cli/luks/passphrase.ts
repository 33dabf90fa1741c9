/**
 * Where a passphrase comes from, as cryptsetup decides: a key file; standard input when it is no terminal, or with `--key-file -`; else the
 * terminal, without echo. Never the command line, never the environment.
 */

import { isatty } from 'node:tty';
import type { Secret } from '../../crypto/secret.ts';
import { CommandError } from '../failure.ts';
import { type KeyRange, readKey, readKeyFile } from './key-file.ts';
import type { LuksOptions } from './option-table.ts';
import { BAD_PASSPHRASE } from './status.ts';
import { estimateStrength } from './strength.ts';
import { type Terminal, terminal } from './terminal.ts';

export interface PassphraseRequest {
  /** `Enter passphrase for disk.img` */
  prompt: string;
  /** `-`: all of standard input. */
  keyFile?: string | undefined;
  range?: KeyRange;
  /** Asked for twice at a terminal. */
  verify?: boolean;
  /** It is a new one: a weak one gets a hint. */
  isNew?: boolean;
  timeoutMs?: number | undefined;
}

const STDIN = 0;

export interface PassphraseHost {
  stdinIsTerminal(): boolean;
  terminal: Terminal;
  /** For people. */
  say(line: string): void;
}

export const processHost: PassphraseHost = {
  stdinIsTerminal: () => isatty(STDIN),
  terminal,
  say: (line) => process.stderr.write(`devmapper: ${line}\n`),
};

/** Throws CommandError. The caller wipes it. */
export async function readPassphrase(
  request: PassphraseRequest,
  host: PassphraseHost = processHost,
): Promise<Secret> {
  const { keyFile, range = {} } = request;
  if (keyFile !== undefined && keyFile !== '-') return readKeyFile(keyFile, range);
  if (!host.stdinIsTerminal()) {
    const name = 'standard input';
    return readKey(STDIN, { ...range, name, stopAtNewline: keyFile === undefined });
  }
  return await askTerminal(request, host);
}

async function askTerminal(request: PassphraseRequest, host: PassphraseHost): Promise<Secret> {
  const { prompt, verify = false, isNew = false, timeoutMs, range = {} } = request;
  if ((range.offsetBytes ?? 0) > 0) {
    throw new CommandError('Cannot use offset with terminal input.', { status: 1 });
  }
  const first = await host.terminal.askSecret(`${prompt}: `, { timeoutMs });
  try {
    if (verify) await verifySecret(first, { ...request, timeoutMs }, host);
    if (isNew) hintAt(first, host);
    return first;
  } catch (error) {
    first.wipe();
    throw error;
  }
}

async function verifySecret(
  first: Secret,
  { timeoutMs }: PassphraseRequest,
  { terminal }: PassphraseHost,
): Promise<void> {
  using second = await terminal.askSecret('Verify passphrase: ', { timeoutMs });
  const isSame = Buffer.compare(first.bytes, second.bytes) === 0;
  if (!isSame) throw new CommandError('Passphrases do not match.', { status: BAD_PASSPHRASE });
}

function hintAt(passphrase: Secret, host: PassphraseHost): void {
  const { isWeak, bits } = estimateStrength(passphrase.bytes);
  if (!isWeak) return;
  const advice = 'a few words more, or a key file, make it hard to guess';
  host.say(`note: this passphrase is weak, about ${bits} bits; ${advice}`);
}

/** Of the existing passphrase: `--key-file` and what belongs to it. */
export function keyFileOf(
  options: LuksOptions,
): Pick<PassphraseRequest, 'keyFile' | 'range' | 'timeoutMs'> {
  const range = { offsetBytes: options['keyfile-offset'], sizeBytes: options['keyfile-size'] };
  return { keyFile: options['key-file'], range, timeoutMs: timeoutOf(options) };
}

/** For a key slot; twice at a terminal. The caller wipes it. */
export function readNewPassphrase(
  options: LuksOptions,
  newKeyFile: string | undefined,
  prompt: string,
): Promise<Secret> {
  return readPassphrase({
    ...newKeyFileOf(options, newKeyFile),
    prompt,
    verify: options['batch-mode'] !== true || options['verify-passphrase'] === true,
    isNew: true,
  });
}

/** Of a new passphrase: `--new-keyfile`, or a file named behind the image. */
function newKeyFileOf(
  options: LuksOptions,
  operand?: string,
): Pick<PassphraseRequest, 'keyFile' | 'range' | 'timeoutMs'> {
  const range = {
    offsetBytes: options['new-keyfile-offset'],
    sizeBytes: options['new-keyfile-size'],
  };
  return { keyFile: options['new-keyfile'] ?? operand, range, timeoutMs: timeoutOf(options) };
}

function timeoutOf({ timeout }: LuksOptions): number | undefined {
  return timeout === undefined ? undefined : timeout * 1000;
}
