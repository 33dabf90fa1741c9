/** The commands about udev. No udev watches our devices, so that they print what dmsetup prints without one. */

import { readSync } from 'node:fs';
import { addDmsetupCommand, type CommandHost, type Invocation } from './command.ts';
import { commandFailed } from './failure.ts';
import { print, printJson } from './print.ts';
import { COOKIE_MAGIC, flagLines, parseCookie } from './udev-cookie.ts';

const NO_UDEV = `
No udev watches mapped devices in user space: a device is there when the command that makes it ends. The command is
accepted, so that scripts go on.`;
const COOKIES_HEADING =
  'Cookie       Semid      Value      Last semop time           Last change time\n';
const PREFIX = `${COOKIE_MAGIC} (0x${COOKIE_MAGIC.toString(16)})`;

export function addUdevCreateCookieCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'udevcreatecookie',
    usage: '',
    summary: 'accepted: there is no udev to wait for',
    operands: [0, 0],
    options: [],
    help: `${NO_UDEV}\n\nExamples:\n  devmapper udevcreatecookie    prints nothing, as dmsetup does without udev`,
    run: () => {},
  });
}

export function addUdevReleaseCookieCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'udevreleasecookie',
    usage: '[<cookie>]',
    summary: 'accepted: there is no udev to wait for',
    operands: [0, 1],
    options: [],
    help: `${NO_UDEV}\n\nExamples:\n  devmapper udevreleasecookie 0xd4d0001`,
    run: ({ operands, options }: Invocation) => {
      const cookie = operands[0] ?? options.udevcookie ?? process.env['DM_UDEV_COOKIE'];
      if (cookie === undefined) throw commandFailed(['No udev transaction cookie given.']);
      parseCookie(cookie);
    },
  });
}

export function addUdevFlagsCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'udevflags',
    usage: '<cookie>',
    summary: 'print the flags in a cookie',
    operands: [1, 1],
    options: ['json'],
    help: `\nExamples:\n  devmapper udevflags 0xd4d0001    as assignments for udev's rules`,
    run: ({ operands, options }: Invocation) => {
      const lines = flagLines(parseCookie(operands[0]!));
      if (options.json) printJson({ flags: lines.map((line) => line.split('=')[0]) });
      else print(lines.map((line) => `${line}\n`).join(''));
    },
  });
}

export function addUdevCompleteCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'udevcomplete',
    usage: '<cookie>',
    summary: 'accepted: nobody waits for udev',
    operands: [1, 1],
    options: [],
    help: `${NO_UDEV}\n\nExamples:\n  devmapper udevcomplete 0xd4d0001`,
    run: ({ operands }: Invocation) => {
      const cookie = parseCookie(operands[0]!);
      print(`DM_COOKIE_COMPLETED=0x${cookie.toString(16).padEnd(10)}\n`);
    },
  });
}

export function addUdevCompleteAllCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'udevcomplete_all',
    usage: '[<age_in_minutes>]',
    summary: 'accepted: nobody waits for udev',
    operands: [0, 1],
    options: ['yes'],
    help: `${NO_UDEV}\n\nExamples:\n  devmapper udevcomplete_all --yes    there are none to complete`,
    run: completeAll,
  });
}

function completeAll({ operands, options }: Invocation): void {
  const [age] = operands;
  if (age !== undefined && !/^\d+$/.test(age)) {
    throw commandFailed(['Failed to read age_in_minutes parameter.']);
  }
  if (!options.yes) {
    const older = age === undefined ? '' : `older than ${age} minutes `;
    process.stderr.write(
      `WARNING: This operation will destroy all semaphores ${older}with keys that have a prefix ${PREFIX}.\n`,
    );
    print('Do you really want to continue? [y/n]: ');
    if (!answeredYes()) {
      print(`\nSemaphores with keys prefixed by ${PREFIX} NOT destroyed.\n`);
      return;
    }
  }
  print(`0 semaphores with keys prefixed by ${PREFIX} destroyed. 0 skipped.\n`);
}

function answeredYes(): boolean {
  const answer = Buffer.alloc(1);
  try {
    return readSync(0, answer) === 1 && answer.toString().toLowerCase() === 'y';
  } catch {
    return false; // no standard input: nobody to say yes
  }
}

export function addUdevCookiesCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'udevcookies',
    usage: '',
    summary: 'list the cookies that somebody waits for: none',
    operands: [0, 0],
    options: ['json'],
    help: `${NO_UDEV}\n\nExamples:\n  devmapper udevcookies`,
    run: ({ options }: Invocation) => {
      if (options.json) printJson({ cookies: [] });
      else print(COOKIES_HEADING);
    },
  });
}
