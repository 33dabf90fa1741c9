/** A command of `devmapper luks`: how it is declared. What its words mean is read in words.ts; commander knows of it for help, completion and man pages. */

import type { LuksOptions, OptionName } from './option-table.ts';

export interface LuksInvocation {
  operands: readonly string[];
  options: LuksOptions;
}

export interface LuksCommand {
  name: string;
  /** Behind the name: `<image> [<new_key_file>] [options]`. */
  usage: string;
  summary: string;
  operands: readonly [fewest: number, most: number];
  /** Besides those that every command takes; another one is refused. */
  options: readonly OptionName[];
  /** Behind the list of options in the help: what there is to know, and examples. */
  help: string;
  /** Throws; resolves with an exit status where it is not 0. */
  run(invocation: LuksInvocation): Promise<number> | Promise<void>;
}

/** What every command takes. */
export const COMMON_OPTIONS = ['batch-mode', 'verbose', 'help'] as const satisfies OptionName[];

/** How an existing passphrase is given. */
export const UNLOCK_OPTIONS = [
  'key-file',
  'keyfile-offset',
  'keyfile-size',
  'timeout',
] as const satisfies OptionName[];

/** How a new passphrase is given. */
export const NEW_KEY_OPTIONS = [
  'new-keyfile',
  'new-keyfile-offset',
  'new-keyfile-size',
] as const satisfies OptionName[];

/** How a passphrase becomes a key. */
export const PBKDF_OPTIONS = [
  'pbkdf',
  'hash',
  'iter-time',
  'pbkdf-memory',
  'pbkdf-parallel',
  'pbkdf-force-iterations',
  'keyslot-cipher',
  'keyslot-key-size',
] as const satisfies OptionName[];
