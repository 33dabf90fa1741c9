/** Runs a line of `devmapper luks`, without commander: options may stand anywhere in it, as cryptsetup has it. */

import { keepOutOfCoreFiles } from '../core-files.ts';
import { CommandError } from '../failure.ts';
import { COMMON_OPTIONS, type LuksCommand } from './command.ts';
import { findLuksCommand } from './commands.ts';
import { type LuksOptionSpec, OPTIONS, type OptionName } from './option-table.ts';
import { luksFailure } from './status.ts';
import { type LuksWords, readWords, wrongWords } from './words.ts';

/** `words` are the line without `luks`. Resolves with the exit status; null: help is wanted, for the command of that name. */
export async function runLuks(
  words: readonly string[],
): Promise<number | { helpFor: string | null }> {
  const { operands, options, given } = readLine(words);
  const [name, ...rest] = operands;
  if (name === undefined || name === 'help') return { helpFor: rest[0] ?? null };
  const entry = findLuksCommand(name);
  if (entry === undefined) throw unknownCommand(name);
  const command = await entry.load();
  if (options.help) return { helpFor: command.name };
  checkWords(command, rest, given);
  keepOutOfCoreFiles();
  try {
    return (await command.run({ operands: rest, options })) ?? 0;
  } catch (error) {
    throw luksFailure(error);
  }
}

/** What is wrong with an option is said with the help that lists them. */
function readLine(words: readonly string[]): LuksWords {
  try {
    return readWords(words);
  } catch (error) {
    if (!(error instanceof CommandError) || error.details.length > 0) throw error;
    const name = words.find((word) => findLuksCommand(word) !== undefined);
    throw wrongWords(error.message, `devmapper luks ${name ? `${name} ` : ''}--help`);
  }
}

function unknownCommand(name: string) {
  return wrongWords('Unknown action.', `"luks ${name}": devmapper luks --help lists them`);
}

/** Throws CommandError, in cryptsetup's words. */
function checkWords(
  command: LuksCommand,
  operands: readonly string[],
  given: readonly OptionName[],
): void {
  const help = `devmapper luks ${command.name} --help`;
  const allowed: readonly OptionName[] = [...command.options, ...COMMON_OPTIONS];
  const foreign = given.find((name) => !allowed.includes(name) && !isIgnored(name));
  if (foreign !== undefined) {
    throw wrongWords(`Option --${foreign} is not allowed with ${command.name} action.`, help);
  }
  const [fewest, most] = command.operands;
  if (operands.length >= fewest && operands.length <= most) return;
  const needed = command.usage.replace(/\s*\[options\].*/s, '');
  throw wrongWords(`${command.name}: requires ${needed} as arguments`, help);
}

/** cryptsetup's options that mean nothing here. */
function isIgnored(name: OptionName): boolean {
  const spec: LuksOptionSpec = OPTIONS[name];
  return spec.hidden === true && spec.kind === 'flag';
}
