/** `devmapper luks`, as commander sees it: for help, completion and man pages. */

import { Command, Option } from 'commander';
import { COMMON_OPTIONS, type LuksCommand } from './command.ts';
import { LUKS_COMMANDS } from './commands.ts';
import { type LuksOptionSpec, OPTIONS, type OptionName } from './option-table.ts';

const HELP = `
Images are files or block devices; nothing here needs root or a kernel. Options are cryptsetup's, and so are the names of
its commands (luksFormat, luksOpen ...). Passphrases are asked for without echo, or read from standard input or a file;
never from the command line.

Examples:
  truncate -s 1G disk.img
  devmapper luks format disk.img                 asks for a passphrase, twice
  devmapper luks open disk.img secret            secret is a device of the daemon now: an NBD export, a file under FUSE
  devmapper exec mkfs.ext4 /dev/mapper/secret
  devmapper luks close secret
  devmapper serve --luks disk.img                opens and serves in one step, without a daemon

Exit status: 0 done, 1 wrong parameters or anything else, 2 bad passphrase or no permission, 3 out of memory, 4 wrong device,
5 the device exists or is busy, 130 interrupted.`;

export async function addLuksCommand(program: Command): Promise<void> {
  const luks = program
    .command('luks')
    .description('encrypted images (LUKS1, LUKS2): make, open, edit them')
    .usage('<command> [options]')
    .addHelpText('after', HELP)
    .helpCommand(false)
    .configureHelp({
      subcommandTerm: (command) => command.name(),
      visibleCommands: (command) => [...command.commands],
    });
  for (const entry of Object.values(LUKS_COMMANDS)) {
    luks.addCommand(commanderCommand(await entry.load(), entry.aliases));
  }
}

function commanderCommand(command: LuksCommand, aliases: readonly string[]): Command {
  const aliasLine = aliases.length === 0 ? '' : `\n\nIn cryptsetup: ${aliases.join(', ')}`;
  const declared = new Command(command.name)
    .description(command.summary)
    .usage(command.usage)
    .argument('[words...]')
    .addHelpText('after', `\n${command.help.trim()}${aliasLine}`);
  for (const name of [...command.options, ...COMMON_OPTIONS]) {
    // commander has one of its own.
    if (name !== 'help') declared.addOption(commanderOption(name));
  }
  return declared;
}

function commanderOption(name: OptionName): Option {
  const { short, value, purpose, hidden }: LuksOptionSpec = OPTIONS[name];
  const flags = short === undefined ? `--${name}` : `-${short}, --${name}`;
  const option = new Option(value === undefined ? flags : `${flags} <${value}>`, purpose);
  return hidden === true ? option.hideHelp() : option;
}
