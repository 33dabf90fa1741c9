/** Every command as commander's: for those that are not dmsetup's, and for whatever looks at all of them: help, completion, man pages. */

import { Command, CommanderError, Option } from 'commander';
import { COMMANDS, type CommandEntry } from './commands.ts';
import { type DmsetupCommand, runDmsetupCommand } from './dmsetup/command.ts';
import { type OptionName, optionSpec } from './dmsetup/options.ts';
import { FAILURE_STATUS, USAGE_STATUS } from './failure.ts';
import { packageVersion } from './version.ts';

const EXAMPLES = `
Examples:
  devmapper create disk --table '0 2048 linear a.img 0'    a device that lives in the daemon
  devmapper serve a.img b.img                              two images as one disk, over NBD, without a daemon
  devmapper targets -v                                     what a row of a table can be

Commands that dmsetup has take its options and print what it prints; docs/dmsetup.md has the differences.
More: devmapper COMMAND --help; https://docs.kernel.org/admin-guide/device-mapper explains tables and targets.`;

/** Of every dmsetup command. */
const COMMON: readonly OptionName[] = ['kernel'];

/** The program with one command, or with all of them. */
export async function createProgram(only: string | null): Promise<Command> {
  const program = new Command('devmapper')
    .description('The Linux device mapper in user space: tables of targets, served over NBD')
    .version(`devmapper ${packageVersion()}`, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .addHelpText('after', EXAMPLES)
    .showSuggestionAfterError()
    .configureHelp({
      subcommandTerm: (command) => [command.name(), ...command.aliases()].join(', '),
    })
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  const entries = only === null ? Object.entries(COMMANDS) : [[only, COMMANDS[only]!] as const];
  for (const [name, entry] of entries) await addCommand(program, name, entry);
  settle(program.commands);
  return program;
}

/** Subcommands do not inherit settings made after they were added, nor these two at all. */
function settle(commands: readonly Command[]): void {
  for (const command of commands) {
    command.exitOverride().configureOutput({ outputError: () => {} });
    command.helpOption('-h, --help', 'print help');
    settle(command.commands);
  }
}

async function addCommand(program: Command, name: string, entry: CommandEntry): Promise<void> {
  // A name may be the alias of one that is there.
  if (program.commands.some((command) => command.aliases().includes(name))) return;
  if (!entry.dmsetup) {
    await (await entry.load())(program);
    return;
  }
  const add = await entry.load();
  add({ declare: (command) => declare(program, command) });
}

function declare(program: Command, command: DmsetupCommand): void {
  const declared = program
    .command(command.name)
    .description(command.summary)
    .usage(command.usage)
    .argument('[words...]')
    .addHelpText('after', `\n${command.help.trim()}`)
    .action((words: string[]) =>
      runDmsetupCommand(command.name, (host) => host.declare(command), words),
    );
  if (command.alias !== undefined) declared.alias(command.alias);
  for (const name of [...command.options, ...COMMON]) declared.addOption(commanderOption(name));
}

function commanderOption(name: OptionName): Option {
  const { long, short, value, purpose } = optionSpec(name);
  const flags = short === undefined ? `--${long}` : `-${short[0]}, --${long}`;
  return new Option(value === undefined ? flags : `${flags} <${value}>`, purpose);
}

/** Runs words with commander; resolves with the exit status for what commander itself has to say. */
export async function runProgram(words: readonly string[], only: string | null): Promise<number> {
  const program = await createProgram(only);
  if (words.length === 0) {
    program.outputHelp({ error: true });
    return USAGE_STATUS;
  }
  try {
    await program.parseAsync(words, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return await reportUsage(error, helpFor(program, words));
    throw error;
  }
}

/** The nearest help: of the command that the words name. */
function helpFor(program: Command, words: readonly string[]): string {
  const names: string[] = [];
  let command = program;
  for (const word of words) {
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) break;
    names.push(word);
    command = next;
  }
  const shown = names.length === 0 ? 'commands' : 'options';
  return `${['devmapper', ...names, '--help'].join(' ')} shows ${shown} and examples`;
}

/** What commander found wrong with the words; help and version end this way too, with status 0. */
async function reportUsage(error: CommanderError, help: string): Promise<number> {
  if (error.exitCode === 0) return 0;
  if (error.code === 'commander.help') return FAILURE_STATUS;
  const reason = error.message.replace(/^error: /, '').replace(/\n/, ' ');
  const advice = (await cryptsetupAdvice(error)) ?? help;
  process.stderr.write(`devmapper: ${reason}\n  ${advice}\n`);
  return USAGE_STATUS;
}

/** Who is used to cryptsetup writes `luksOpen` without `luks` in front. */
async function cryptsetupAdvice({ code, message }: CommanderError): Promise<string | null> {
  if (code !== 'commander.unknownCommand') return null;
  const [, name = ''] = /^error: unknown command '(\w+)'/.exec(message) ?? [];
  if (name === 'cryptsetup') return 'devmapper luks has its commands';
  const { findLuksCommand } = await import('./luks/commands.ts');
  return findLuksCommand(name) ? `devmapper luks ${name}` : null;
}
