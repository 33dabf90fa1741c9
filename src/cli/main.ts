/** The program: finds the command, leaves the work to its file, turns failures into text and an exit status. */

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addCompletionCommand } from './completion-command.ts';
import { describeFailure, FAILURE_STATUS, USAGE_STATUS } from './failure.ts';
import { addServeCommand } from './serve-command.ts';
import { addTargetsCommand } from './targets-command.ts';

const EXAMPLES = `
Examples:
  devmapper serve a.img b.img                          two images as one disk, over NBD
  devmapper serve disk --table '0 2048 linear a.img 0' any table, as dmsetup reads it
  devmapper targets -v                                 what a row of a table can be

More: devmapper serve --help; https://docs.kernel.org/admin-guide/device-mapper explains tables and targets.`;

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function createProgram(): Command {
  const program = new Command('devmapper')
    .description('The Linux device mapper in user space: tables of targets, served over NBD')
    .version(`devmapper ${version()}`, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .addHelpText('after', EXAMPLES)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  addServeCommand(program);
  addTargetsCommand(program);
  addCompletionCommand(program);
  // Subcommands do not inherit settings made after they were added, nor these two at all.
  for (const command of program.commands) {
    command.exitOverride().configureOutput({ outputError: () => {} });
    command.helpOption('-h, --help', 'print help');
  }
  return program;
}

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
  const program = createProgram();
  if (words.length === 0) {
    program.outputHelp({ error: true });
    return USAGE_STATUS;
  }
  try {
    await program.parseAsync(words, { from: 'user' });
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
