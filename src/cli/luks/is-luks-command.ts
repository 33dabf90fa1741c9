/** `devmapper luks is-luks`. */

import { CommandError } from '../failure.ts';
import type { LuksCommand, LuksInvocation } from './command.ts';
import { withImage } from './image.ts';
import type { LuksOptions } from './option-table.ts';
import { WRONG_PARAMETERS } from './status.ts';

const HELP = `
Says it by its exit status: 0 a LUKS volume (of the version of --type, if given), 1 none, 4 no such image. Nothing is printed
without --verbose or --json.

Examples:
  if devmapper luks is-luks disk.img; then echo encrypted; fi
  devmapper luks is-luks --type luks2 disk.img
  devmapper luks is-luks --json disk.img
`;

export const isLuksCommand: LuksCommand = {
  name: 'is-luks',
  usage: '<image> [options]',
  summary: 'ask whether an image is a LUKS volume',
  operands: [1, 1],
  options: ['type', 'header', 'json'],
  help: HELP,
  run: isLuks,
};

interface Answer {
  isLuks: boolean;
  version: 1 | 2 | null;
  uuid: string | null;
}

async function isLuks({ operands: [path = ''], options }: LuksInvocation): Promise<number> {
  const answer = await ask(path, options);
  if (options.json) process.stdout.write(`${JSON.stringify(answer)}\n`);
  return answer.isLuks ? 0 : WRONG_PARAMETERS;
}

async function ask(path: string, options: LuksOptions): Promise<Answer> {
  try {
    return await withImage(path, options, 'read', ({ volume: { version, uuid } }) =>
      Promise.resolve({ isLuks: true, version, uuid }),
    );
  } catch (error) {
    if (!(error instanceof CommandError) || error.status !== WRONG_PARAMETERS) throw error;
    if (options.verbose) process.stderr.write(`devmapper: ${error.message}\n`);
    return { isLuks: false, version: null, uuid: null };
  }
}
