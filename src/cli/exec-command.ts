/** `devmapper exec` and `devmapper shell`: unmodified programs on mapped devices. */

import type { Command } from 'commander';
import type { ExecOptions } from '../exec/index.ts';
import { ProgramError } from '../exec/program-error.ts';
import { CommandError } from './failure.ts';
import { packageVersion } from './version.ts';

const EXEC_EXAMPLES = `
Examples:
  devmapper exec dmsetup ls --tree            the real dmsetup, on our devices
  devmapper exec mkfs.ext4 /dev/mapper/disk   a file system on a mapped device
  devmapper exec -- sh -c 'pvcreate /dev/mapper/a && vgcreate vg /dev/mapper/a'

Starts the daemon if none runs. Programs that are statically linked, use musl, or are set-user-id see nothing of it.`;

const SHELL_EXAMPLES = `
Examples:
  devmapper shell              $SHELL, with /dev/mapper as programs expect it; "exit" ends it
  devmapper shell --private    in a private /dev, as for users who may not make nodes`;

interface ExecuteOptions {
  private?: boolean;
}

export function addExecCommand(program: Command): void {
  program
    // What follows the program's name is the program's.
    .enablePositionalOptions()
    .command('exec')
    .description('run a program that finds mapped devices in /dev/mapper')
    .argument('<command...>', 'program and its arguments')
    .option('--private', 'keep nodes in a private /dev, as for users who may not make any')
    .passThroughOptions()
    .addHelpText('after', EXEC_EXAMPLES)
    .action(async ([name, ...words]: string[], options: ExecuteOptions) => {
      await run(name ?? '', words, options);
    });
}

export function addShellCommand(program: Command): void {
  program
    .command('shell')
    .description('start a shell in which programs find mapped devices in /dev/mapper')
    .option('--private', 'keep nodes in a private /dev, as for users who may not make any')
    .addHelpText('after', SHELL_EXAMPLES)
    .action(async (options: ExecuteOptions) => {
      const { shellWords } = await import('../exec/shell.ts');
      const [shell, words, environment] = shellWords(process.env);
      await run(shell, words, { ...options, environment });
    });
}

async function run(
  name: string,
  words: string[],
  options: Omit<ExecOptions, 'version' | 'warn'>,
): Promise<void> {
  const { execute } = await import('../exec/index.ts');
  try {
    process.exitCode = await execute(name, words, { ...options, version: packageVersion(), warn });
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    throw new CommandError(error.message, { status: error.status, cause: error });
  }
}

function warn(message: string): void {
  process.stderr.write(`devmapper: ${message}\n`);
}
