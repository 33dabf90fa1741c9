/** Backups of the header: both copies and all key slots, as `cryptsetup luksHeaderBackup` makes and `luksHeaderRestore` takes them. */

import { DmError, FormatError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { type Luks2Header, wholeHeaderBytes } from './header.ts';
import { regularSegments } from './mapping.ts';
import { readHeader } from './read-header.ts';
import { demandRequirements, isKnownReencrypt, requirementsOf } from './requirements.ts';

const PAGE_BYTES = 4096;
const PIECE_BYTES = 1024 * 1024;

/** The bytes of a backup file; they hold key slots, and with an old passphrase they open the volume for ever. */
export async function backupHeader(disk: ByteDisk): Promise<Uint8Array> {
  const header = await readHeader(disk);
  const headerBytes = wholeHeaderBytes(header);
  const backup = new Uint8Array(Math.ceil(headerBytes / PAGE_BYTES) * PAGE_BYTES);
  backup.set(await disk.read(0, headerBytes));
  return backup;
}

/** What a restore would do, for the question that comes before it. */
export interface RestorePlan {
  backup: Luks2Header;
  /** null: there is no LUKS2 header on the disk, and data on it may be destroyed. */
  replaced: Luks2Header | null;
  /** For people, one each. */
  warnings: string[];
}

/** Throws DmError or FormatError when the backup is not right or does not fit the disk; writes nothing. */
export async function planRestore(disk: ByteDisk, backupDisk: ByteDisk): Promise<RestorePlan> {
  const backup = await readBackup(backupDisk);
  const replaced = await readIfThere(disk);
  const warnings: string[] = [];
  if (replaced) {
    const isLegacy = requirementsOf(replaced.metadata).includes('offline-reencrypt');
    if (!isLegacy) checkSameLayout(disk, replaced, backup);
    if (replaced.uuid !== backup.uuid) {
      warnings.push('real device header has different UUID than backup!');
    }
    if (isLegacy) {
      warnings.push(
        'Unfinished offline reencryption detected on the device! Replacing header with backup may corrupt data.',
      );
    }
    if (hasUnknownRequirement(replaced)) {
      warnings.push(
        'unknown LUKS2 requirements detected in real device header! Replacing header with backup may corrupt the data on that device!',
      );
    }
  }
  if (disk.sizeBytes < wholeHeaderBytes(backup)) {
    throw new DmError(
      'ENOSPC',
      `Cannot restore header of ${disk.name}: Device is too small: the backup has ${wholeHeaderBytes(backup)} bytes, it has ${disk.sizeBytes}`,
    );
  }
  return { backup, replaced, warnings };
}

/** Writes what `planRestore` found right: the key slots first, then the headers that name them. */
export async function restoreHeader(disk: ByteDisk, backupDisk: ByteDisk): Promise<RestorePlan> {
  const plan = await planRestore(disk, backupDisk);
  const slotsBytes = 2 * plan.backup.headerBytes;
  await copyRange(backupDisk, disk, slotsBytes, wholeHeaderBytes(plan.backup));
  await copyRange(backupDisk, disk, plan.backup.headerBytes, slotsBytes);
  await copyRange(backupDisk, disk, 0, plan.backup.headerBytes);
  return plan;
}

async function copyRange(
  from: ByteDisk,
  to: ByteDisk,
  startBytes: number,
  endBytes: number,
): Promise<void> {
  for (let at = startBytes; at < endBytes; at += PIECE_BYTES) {
    await to.write(at, await from.read(at, Math.min(PIECE_BYTES, endBytes - at)));
  }
  await to.flush();
}

async function readBackup(backupDisk: ByteDisk): Promise<Luks2Header> {
  const backup = await readHeader(backupDisk).catch((error: unknown) => {
    throw new DmError('EINVAL', 'Backup file does not contain valid LUKS header.', {
      cause: error,
    });
  });
  try {
    demandRequirements(
      backup.metadata,
      `restore the header in ${backupDisk.name}`,
      isKnownReencrypt,
    );
  } catch (error) {
    const reason = `Forbidden LUKS2 requirements detected in backup ${backupDisk.name}.`;
    throw new DmError('ENOTSUP', reason, { cause: error });
  }
  return backup;
}

async function readIfThere(disk: ByteDisk): Promise<Luks2Header | null> {
  try {
    return await readHeader(disk);
  } catch (error) {
    // Damaged beyond recognition: that is what backups are for.
    if (error instanceof FormatError || error instanceof DmError) return null;
    throw error;
  }
}

function checkSameLayout(disk: ByteDisk, current: Luks2Header, backup: Luks2Header): void {
  const [currentOffset, backupOffset] = [dataOffsetBytes(current), dataOffsetBytes(backup)];
  if (currentOffset !== backupOffset) {
    throw new DmError(
      'EINVAL',
      `Cannot restore header of ${disk.name}: Data offset differ on device and backup, restore failed: ${currentOffset} and ${backupOffset} bytes`,
    );
  }
  const [currentBytes, backupBytes] = [wholeHeaderBytes(current), wholeHeaderBytes(backup)];
  if (currentBytes !== backupBytes) {
    throw new DmError(
      'EINVAL',
      `Cannot restore header of ${disk.name}: Binary header with keyslot areas size differ on device and backup, restore failed: ${currentBytes} and ${backupBytes} bytes`,
    );
  }
}

function dataOffsetBytes({ metadata }: Luks2Header): number {
  return Math.min(...regularSegments(metadata).map(([, { offset }]) => Number(offset)));
}

function hasUnknownRequirement({ metadata }: Luks2Header): boolean {
  return requirementsOf(metadata).some(
    (name) => !isKnownReencrypt(name) && name !== 'offline-reencrypt',
  );
}
