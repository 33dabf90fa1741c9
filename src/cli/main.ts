/** The program: finds the command, leaves the work to its file, turns failures into text and an exit status. */

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { COMMANDS } from './commands.ts';
import { splitAtCommand, withoutOptions } from './dmsetup/command.ts';
import { describeFailure, FAILURE_STATUS, USAGE_STATUS } from './failure.ts';

const EXAMPLES = `
Examples:
  devmapper create disk --table '0 2048 linear a.img 0'    a device that lives in the daemon
  devmapper serve a.img b.img                              two images as one disk, over NBD, without a daemon
  devmapper targets -v                                     what a row of a table can be

Commands that dmsetup has take its options and print what it prints; docs/dmsetup.md has the differences.
More: devmapper COMMAND --help; https://docs.kernel.org/admin-guide/device-mapper explains tables and targets.`;

export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** The program with one command, or with all of them. */
export async function createProgram(only: string | null): Promise<Command> {
  const program = new Command('devmapper')
    .description('The Linux device mapper in user space: tables of targets, served over NBD')
    .version(`devmapper ${version()}`, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .addHelpText('after', EXAMPLES)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  const entries = only === null ? Object.values(COMMANDS) : [COMMANDS[only]!];
  const adders = new Set(await Promise.all(entries.map((entry) => entry.load())));
  for (const add of adders) add(program);
  // Subcommands do not inherit settings made after they were added, nor these two at all.
  for (const command of program.commands) {
    command.exitOverride().configureOutput({ outputError: () => {} });
    command.helpOption('-h, --help', 'print help');
  }
  return program;
}

/** The words for commander, and the one command they are for; null: any. */
function findCommand(words: readonly string[]): { words: readonly string[]; name: string | null } {
  const isCommand = (word: string | undefined): word is string =>
    word !== undefined && Object.hasOwn(COMMANDS, word);
  // Only dmsetup takes options of a command in front of it.
  const startsWithOption = words[0]?.startsWith('-') && !OWN_OPTIONS.includes(words[0]);
  const [leading, rest] = startsWithOption ? splitAtCommand(words) : [[], [...words]];
  const [name] = rest;
  if (!isCommand(name)) return { words: startsWithOption ? rest : words, name: null };
  const { dmsetup } = COMMANDS[name]!;
  if (dmsetup) return { words: withoutOptions(leading, rest), name };
  return { words, name };
}

const OWN_OPTIONS: readonly string[] = ['-h', '--help', '--version'];

/** A reader that went away (`| head -1`, a closed terminal) must not end what is served. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
  }
}

/** Runs one command line and resolves with its exit status. */
export async function main(words: readonly string[]): Promise<number> {
  outliveReaders();
  try {
    const found = findCommand(words);
    const program = await createProgram(found.name);
    if (found.words.length === 0) {
      program.outputHelp({ error: true });
      return USAGE_STATUS;
    }
    await program.parseAsync(found.words, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return reportUsage(error);
    const { text, status } = describeFailure(error);
    process.stderr.write(text);
    return status;
  }
}

/** What commander found wrong with the words; help and version end this way too, with status 0. */
function reportUsage(error: CommanderError): number {
  if (error.exitCode === 0) return 0;
  if (error.code === 'commander.help') return FAILURE_STATUS;
  const reason = error.message.replace(/^error: /, '').replace(/\n/, ' ');
  process.stderr.write(`devmapper: ${reason}\n  devmapper --help shows commands and examples\n`);
  return USAGE_STATUS;
}
