/**
 * A command of dmsetup's: how it is declared, and how its words become a call. Its words are read as dmsetup reads them (see getopt.ts);
 * commander knows of them for help, completion and man pages only, and is not even loaded to run them.
 */

import { DmsetupFailure } from './failure.ts';
import { parseWords } from './getopt.ts';
import { collectOptions, type DmsetupOptions, OPTIONS, type OptionName } from './options.ts';

export interface Invocation {
  operands: string[];
  options: DmsetupOptions;
}

export interface DmsetupCommand {
  name: string;
  alias?: string;
  /** Behind the name, as in `dmsetup --help`. */
  usage: string;
  summary: string;
  /** Fewest and most operands; outside of that dmsetup refuses before it looks at anything. */
  operands: readonly [fewest: number, most: number];
  /** Those that change what the command does; the others are accepted too. */
  options: readonly OptionName[];
  /** Behind the list of options in the help. */
  help: string;
  /** Standard output is `print`; failures are thrown. */
  run(invocation: Invocation): Promise<void> | void;
}

/** How a device is named without its name. */
export const DEVICE_OPTIONS = ['uuid', 'major', 'minor'] as const satisfies OptionName[];

/** Where commands are declared: commander's program (see program.ts), or just whoever runs one. */
export interface CommandHost {
  declare(command: DmsetupCommand): void;
}

export function addDmsetupCommand(host: CommandHost, command: DmsetupCommand): void {
  host.declare(command);
}

/** Runs the command that `add` declares; `words` are the line without its name. */
export async function runDmsetupCommand(
  name: string,
  add: (host: CommandHost) => void,
  words: readonly string[],
): Promise<void> {
  const declared: DmsetupCommand[] = [];
  add({ declare: (command) => declared.push(command) });
  const command = declared.find((each) => each.name === name || each.alias === name);
  if (!command) throw new Error(`Nothing declares the command ${name}`);
  const { options, operands } = parseWords(words, OPTIONS);
  const invocation = { operands, options: collectOptions(options) };
  const [fewest, most] = command.operands;
  if (operands.length < fewest || operands.length > most) throw wrongOperands(command);
  await command.run(invocation);
}

export function wrongOperands({
  name,
  usage,
}: Pick<DmsetupCommand, 'name' | 'usage'>): DmsetupFailure {
  return new DmsetupFailure([
    'Incorrect number of arguments.',
    `  usage: devmapper ${name} ${usage.replace(/\s*\n\s*/g, ' ')}`,
  ]);
}

/** Whether --help or -h is among the words. */
export function asksForHelp(words: readonly string[]): boolean {
  return parseWords(words, OPTIONS).options.some(({ spec }) => spec.long === 'help');
}

/** The options in front of the command's name, and the rest of the line from the name on. */
export function splitAtCommand(words: readonly string[]): [leading: string[], rest: string[]] {
  const { operands } = parseWords(words, OPTIONS, { stopAtOperand: true });
  const at = words.length - operands.length;
  return [words.slice(0, at), words.slice(at)];
}
