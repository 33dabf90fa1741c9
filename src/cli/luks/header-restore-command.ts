/** `devmapper luks header-restore`. */

import { openFileDisk } from '../../devices/byte-disk.ts';
import { probeLuks } from '../../formats/luks/index.ts';
import { readBackup, restoreHeader } from '../../mapper/luks/header-backup.ts';
import { CommandError } from '../failure.ts';
import type { LuksCommand, LuksInvocation } from './command.ts';
import { confirm } from './confirm.ts';
import { backupFileOf } from './header-backup-command.ts';
import { openFailure } from './image.ts';
import { luksFailure, WRONG_PARAMETERS } from './status.ts';

const HELP = `
The backup is checked first. It asks before it writes, and says what the image has now: its key slots are replaced by those of the
backup, and passphrases that were taken away since then work again.

Examples:
  devmapper luks header-restore --header-backup-file disk.header disk.img
`;

export const headerRestoreCommand: LuksCommand = {
  name: 'header-restore',
  usage: '<image> --header-backup-file <file> [options]',
  summary: 'put a copy of header and key slots back',
  operands: [1, 1],
  options: ['header-backup-file', 'type', 'header'],
  help: HELP,
  run: headerRestore,
};

async function headerRestore({ operands: [path = ''], options }: LuksInvocation): Promise<void> {
  const file = backupFileOf(options);
  const target = options.header ?? path;
  const backup = await readBackupFile(file);
  try {
    await using disk = await openFileDisk(target, { readOnly: false, lock: 'image' });
    const there = await probeLuks(disk);
    const warning =
      there.kind === 'luks'
        ? `Device ${target} already contains LUKS${there.version} header. Replacing header will destroy existing keyslots.`
        : `Device ${target} does not contain LUKS${backup.version} header. Replacing header can destroy data on that device.`;
    await confirm({ warning: [warning], batchMode: options['batch-mode'] === true });
    await restoreHeader(disk, backup);
  } catch (error) {
    throw await openFailure(error, target);
  }
}

async function readBackupFile(file: string) {
  try {
    return await readBackup(file);
  } catch (error) {
    const cause = luksFailure(error);
    throw new CommandError('Header backup file does not contain compatible LUKS header.', {
      status: WRONG_PARAMETERS,
      details: [cause instanceof Error ? cause.message : String(cause)],
      cause: error,
    });
  }
}
