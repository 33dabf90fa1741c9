/** `devmapper luks header-restore`. */

import { type FileDisk, openFileDisk } from '../../devices/byte-disk.ts';
import { openLuks } from '../../formats/luks/index.ts';
import { planRestore, type RestorePlan, restoreHeader } from '../../mapper/luks/header-backup.ts';
import { because, CommandError } from '../failure.ts';
import type { LuksCommand, LuksInvocation } from './command.ts';
import { confirm } from './confirm.ts';
import { backupFileOf } from './header-backup-command.ts';
import { openFailure } from './image.ts';
import { WRONG_PARAMETERS } from './status.ts';

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
  await using backup = await openBackup(file);
  try {
    await using disk = await openFileDisk(target, { readOnly: false, lock: 'image' });
    const plan = await planRestore(disk, backup);
    await confirm({
      warning: [...warningOf(target, plan), ...plan.warnings.map((line) => `WARNING: ${line}`)],
      batchMode: options['batch-mode'] === true,
    });
    await restoreHeader(disk, backup);
  } catch (error) {
    throw await openFailure(error, target);
  }
}

function warningOf(target: string, { version, replaced }: RestorePlan): string[] {
  if (replaced === version) {
    return [
      `Device ${target} already contains LUKS${version} header. Replacing header will destroy existing keyslots.`,
    ];
  }
  const there = replaced === null ? [] : [`It has a LUKS${replaced} header now.`];
  return [
    `Device ${target} does not contain LUKS${version} header. Replacing header can destroy data on that device.`,
    ...there,
  ];
}

/** Open, and right so far that it has a header. */
async function openBackup(file: string): Promise<FileDisk> {
  const disk = await openFileDisk(file, { readOnly: true, lock: 'none' }).catch(wrongBackup);
  await openLuks(disk).catch(wrongBackup);
  return disk;
}

function wrongBackup(error: unknown): never {
  throw new CommandError('Header backup file does not contain compatible LUKS header.', {
    status: WRONG_PARAMETERS,
    details: [because(error)],
    cause: error,
  });
}
