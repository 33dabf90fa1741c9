/** devmapper(1), from the commands themselves: what `--help` says is what the page says. */

import type { Command, Option } from 'commander';

export interface ManPage {
  version: string;
  /** `2026-11-22` */
  date: string;
}

const FRONT = `.SH DESCRIPTION
.B devmapper
is the Linux device mapper in user space: tables of targets (linear, striped, ...) over image files, block devices, memory and
NBD exports make block devices, which programs reach over NBD, as files through FUSE, or under /dev/mapper in
.BR "devmapper exec" .
It needs neither root nor a kernel module.
.PP
Devices live in a daemon, which the first
.B create
starts;
.B serve
does without. Commands that dmsetup has take its options and arguments, print what it prints and end with its exit status; where one fails,
the reason stands below dmsetup's message. A device is named by its name, by a path such as /dev/mapper/NAME, by
.B --uuid
or by
.B --major
and
.BR --minor .
Options may stand anywhere, and long ones may be cut short.
`;

const BACK = `.SH ENVIRONMENT
.TP
.B DEVMAPPER_DIR
where the daemon has its sockets; by default $XDG_RUNTIME_DIR/devmapper, for root /run/devmapper, else ~/.devmapper
.TP
.B DEVMAPPER_BACKEND
.B kernel
means this kernel's device mapper, as
.B --kernel
does
.TP
.B DM_DEFAULT_NAME_MANGLING_MODE
auto, hex or none, as
.B --manglename
.SH FILES
In $DEVMAPPER_DIR:
.TP
.B control
Unix socket: the dm-ioctl interface
.TP
.B nbd.sock
Unix socket: NBD, each device is the export of its name
.TP
.B mapper/
the devices as files, while
.B devmapper mount
or
.B daemon --fuse
shows them
.TP
.B log
what the daemon has to say
.SH EXIT STATUS
0: done. 1: something failed, or, in dmsetup's commands, the command line is wrong. 2: the command line is wrong.
.PP
.BR luks :
as cryptsetup; 1: something failed or the command line is wrong, 2: bad passphrase or no permission, 3: out of memory, 4: wrong device,
5: the device exists or is busy, 130: interrupted.
.SH SEE ALSO
.BR dmsetup (8),
.BR dmstats (8),
.BR cryptsetup (8),
.BR nbd-client (8)
.PP
https://docs.kernel.org/admin-guide/device-mapper
`;

export function manPage(program: Command, { version, date }: ManPage): string {
  const commands = program.commands.map((command) => commandSection(command)).join('');
  return [
    `.TH DEVMAPPER 1 "${date}" ${quoted(`devmapper ${version}`)}\n`,
    `.SH NAME\ndevmapper \\- the Linux device mapper in user space\n`,
    `.SH SYNOPSIS\n.B devmapper\n.I command\n.RI [ options ]\n.RI [ arguments ]\n`,
    FRONT.replaceAll('--', '\\-\\-'),
    `.SH COMMANDS\n${commands}`,
    BACK.replaceAll('--', '\\-\\-'),
  ].join('');
}

/** And, behind it, those of commands that it has itself. */
function commandSection(command: Command, outer = ''): string {
  const names = [command.name(), ...command.aliases()].map((name) => `${outer}${name}`).join(', ');
  const options = command.createHelp().visibleOptions(command).map(optionItem);
  return [
    `.SS ${quoted(names)}\n`,
    `.nf\n${usageLines(command, outer).map(boldLine).join('')}.fi\n`,
    `.PP\n${text(sentence(command.description()))}\n`,
    ...options,
    paragraphs(textBehindOptions(command)),
    ...command.commands.map((inner) => commandSection(inner, `${outer}${command.name()} `)),
  ].join('');
}

/** A usage of several lines names the program from the second on. */
function usageLines(command: Command, outer: string): string[] {
  return `devmapper ${outer}${command.name()} ${command.usage()}`
    .split('\n')
    .map((line) => line.trim());
}

function boldLine(line: string): string {
  return `.B ${quoted(line)}\n`;
}

function optionItem({ flags, description }: Option): string {
  return `.TP\n.B ${quoted(flags)}\n${text(description)}\n`;
}

/** What addHelpText has put behind the help; commander only ever prints it. */
function textBehindOptions(command: Command): string {
  let printed = '';
  const output = command.configureOutput();
  command.configureOutput({ ...output, writeOut: (part) => (printed += part) });
  command.outputHelp();
  command.configureOutput(output);
  return printed.slice(command.helpInformation().length).trim();
}

/** Blank lines part paragraphs; indented lines keep their form. */
function paragraphs(source: string): string {
  const lines: string[] = [];
  let keepsForm = false;
  for (const line of source === '' ? [] : source.split('\n')) {
    const isIndented = /^\s+\S/.test(line);
    if (line !== '' && isIndented !== keepsForm) {
      lines.push(isIndented ? '.nf' : '.fi\n.PP');
      keepsForm = isIndented;
    }
    lines.push(line === '' ? '.PP' : text(line));
  }
  return lines.length === 0 ? '' : `.PP\n${lines.join('\n')}\n${keepsForm ? '.fi\n' : ''}`;
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

/** Nothing in it is a request or an escape. */
function text(line: string): string {
  const plain = line.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('’', "'");
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}

/** One argument of a request. */
function quoted(words: string): string {
  return `"${text(words).replaceAll('"', '""')}"`;
}
