/** `devmapper luks header-backup`. */

import { rmSync, writeFileSync } from 'node:fs';
import { backUpHeader } from '../../mapper/luks/header-backup.ts';
import { because, CommandError } from '../failure.ts';
import type { LuksCommand, LuksInvocation } from './command.ts';
import { withImage } from './image.ts';
import type { LuksOptions } from './option-table.ts';
import { WRONG_PARAMETERS } from './status.ts';
import { wrongWords } from './words.ts';

const HELP = `
Without its header nobody can open a volume; with an old copy of the header, old passphrases open it again. Keep it as you keep the passphrases.

Examples:
  devmapper luks header-backup --header-backup-file disk.header disk.img
  devmapper luks header-restore --header-backup-file disk.header disk.img
`;

export const headerBackupCommand: LuksCommand = {
  name: 'header-backup',
  usage: '<image> --header-backup-file <file> [options]',
  summary: 'copy header and key slots to a file',
  operands: [1, 1],
  options: ['header-backup-file', 'type', 'header'],
  help: HELP,
  run: headerBackup,
};

async function headerBackup({ operands: [path = ''], options }: LuksInvocation): Promise<void> {
  const file = backupFileOf(options);
  await withImage(path, options, 'read', async ({ header }) => {
    const bytes = await backUpHeader(header);
    try {
      writeFileSync(file, bytes, { flag: 'wx', mode: 0o400, flush: true });
    } catch (error) {
      throw writeFailure(error, file);
    }
  });
}

function writeFailure(error: unknown, file: string): CommandError {
  const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
  // Half a backup would be taken for a whole one.
  if (!isThere) rmSync(file, { force: true });
  const words = isThere
    ? `Requested header backup file ${file} already exists.`
    : `Cannot write header backup file ${file}.`;
  const detail = isThere
    ? 'nothing was written; remove it first, or choose another name'
    : because(error);
  return new CommandError(words, { status: WRONG_PARAMETERS, details: [detail], cause: error });
}

export function backupFileOf(options: LuksOptions): string {
  const file = options['header-backup-file'];
  if (file !== undefined) return file;
  throw wrongWords('Option --header-backup-file is required.');
}
