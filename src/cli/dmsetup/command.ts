/**
 * A command of dmsetup's: how it is declared, and how its words become a call. Its options are declared to commander for help, completion and
 * the man page only; they are read as dmsetup reads them (see getopt.ts).
 */

import { type Command, Option } from 'commander';
import { DmsetupFailure } from './failure.ts';
import { parseWords } from './getopt.ts';
import {
  collectOptions,
  type DmsetupOptions,
  OPTIONS,
  type OptionName,
  optionSpec,
} from './options.ts';

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

/** Of every command: `help` is commander's own. */
const COMMON: readonly OptionName[] = ['kernel'];
/** How a device is named without its name. */
export const DEVICE_OPTIONS = ['uuid', 'major', 'minor'] as const satisfies OptionName[];

export function addDmsetupCommand(program: Command, command: DmsetupCommand): void {
  const declared = program
    .command(command.name)
    .description(command.summary)
    .usage(command.usage)
    .argument('[words...]')
    .helpOption('-h, --help', 'print help')
    .addHelpText('after', `\n${command.help.trim()}`)
    .action((words: string[]) => runCommand(command, words));
  if (command.alias !== undefined) declared.alias(command.alias);
  for (const name of [...command.options, ...COMMON]) declared.addOption(commanderOption(name));
}

function commanderOption(name: OptionName): Option {
  const { long, short, value, purpose } = optionSpec(name);
  const flags = short === undefined ? `--${long}` : `-${short[0]}, --${long}`;
  return new Option(value === undefined ? flags : `${flags} <${value}>`, purpose);
}

async function runCommand(command: DmsetupCommand, words: readonly string[]): Promise<void> {
  const { options, operands } = parseWords(words, OPTIONS);
  const invocation = { operands, options: collectOptions(options) };
  const [fewest, most] = command.operands;
  if (operands.length < fewest || operands.length > most) throw wrongOperands(command);
  await command.run(invocation);
}

function wrongOperands({ name, usage }: DmsetupCommand): DmsetupFailure {
  return new DmsetupFailure([
    'Incorrect number of arguments.',
    `  usage: devmapper ${name} ${usage.replace(/\s*\n\s*/g, ' ')}`,
  ]);
}

/**
 * What commander is given for a line that names a dmsetup command: the command, and everything else as if it were operands.
 * null: the line asks for help.
 */
export function withoutOptions(leading: readonly string[], rest: readonly string[]): string[] {
  const [name = '', ...behind] = rest;
  const words = [...leading, ...behind];
  const asksForHelp = parseWords(words, OPTIONS).options.some(({ spec }) => spec.long === 'help');
  return asksForHelp ? [name, '--help'] : [name, '--', ...words];
}

/** The options in front of the command's name, and the rest of the line from the name on. */
export function splitAtCommand(words: readonly string[]): [leading: string[], rest: string[]] {
  const { operands } = parseWords(words, OPTIONS, { stopAtOperand: true });
  const at = words.length - operands.length;
  return [words.slice(0, at), words.slice(at)];
}
