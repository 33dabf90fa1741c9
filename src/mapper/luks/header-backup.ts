/** A copy of the header with its key slots, as cryptsetup's luksHeaderBackup makes it, and back. */

import { DmError } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { openLuks, probeLuks } from '../../formats/luks/index.ts';
import type { LuksVolume } from '../../formats/luks/types.ts';
import { headerAreaSectors, roundUp } from '../../formats/luks1/layout.ts';
import * as luks2 from '../../formats/luks2/backup.ts';

/** What cryptsetup rounds a LUKS1 backup up to. */
const PAGE_BYTES = 4096;
/** The key material of LUKS1 begins behind it. */
const PHDR_SECTORS = 8;

/** The bytes of a backup file. Throws DmError, FormatError. */
export async function backUpHeader(disk: ByteDisk): Promise<Uint8Array> {
  const volume = await openLuks(disk);
  if (volume.version === 2) return await luks2.backupHeader(disk);
  return await disk.read(0, Math.min(luks1Bytes(volume), disk.sizeBytes));
}

function luks1Bytes({ keyBytes, dataOffsetBytes }: LuksVolume): number {
  const areaBytes = roundUp(headerAreaSectors(keyBytes) * SECTOR_BYTES, PAGE_BYTES);
  // Another program may have put the data right behind the slots that it uses.
  const hasDataInside = dataOffsetBytes > PHDR_SECTORS * SECTOR_BYTES;
  return hasDataInside ? Math.min(dataOffsetBytes, areaBytes) : areaBytes;
}

export interface RestorePlan {
  /** Of the backup. */
  version: 1 | 2;
  /** Of the header that will be replaced; null: there is none, and data may be destroyed. */
  replaced: 1 | 2 | null;
  /** For people, one each. */
  warnings: readonly string[];
}

/** Throws DmError or FormatError when the backup is not right or does not fit the disk; writes nothing. */
export async function planRestore(disk: ByteDisk, backup: ByteDisk): Promise<RestorePlan> {
  const { version } = await openLuks(backup);
  const there = await probeLuks(disk);
  const replaced = there.kind === 'none' ? null : there.version;
  if (version === 1) {
    await checkLuks1(disk, backup);
    return { version, replaced, warnings: [] };
  }
  const { warnings } = await luks2.planRestore(disk, backup);
  return { version, replaced, warnings };
}

/** Throws as `planRestore`. */
export async function restoreHeader(disk: ByteDisk, backup: ByteDisk): Promise<void> {
  const { version } = await planRestore(disk, backup);
  if (version === 2) {
    await luks2.restoreHeader(disk, backup);
    return;
  }
  const bytes = await backup.read(0, backup.sizeBytes);
  // What makes a header of it comes last: torn, it is a damaged header and not one that lies about its slots.
  await disk.write(PAGE_BYTES, bytes.subarray(PAGE_BYTES));
  await disk.flush();
  await disk.write(0, bytes.subarray(0, PAGE_BYTES));
  await disk.flush();
}

/** As cryptsetup has it: the data must lie where the header there has them. */
async function checkLuks1(disk: ByteDisk, backup: ByteDisk): Promise<void> {
  const kept = await openLuks(backup);
  if (backup.sizeBytes > Math.min(disk.sizeBytes, luks1Bytes(kept))) {
    const sizes = `the backup has ${backup.sizeBytes} bytes, the header ${luks1Bytes(kept)}, the device ${disk.sizeBytes}`;
    throw new DmError('EINVAL', `Cannot restore header of ${disk.name}: ${sizes}`);
  }
  const there = await probeLuks(disk);
  if (there.kind !== 'luks' || there.version !== 1) return;
  const { dataOffsetBytes, keyBytes } = await openLuks(disk);
  if (dataOffsetBytes === kept.dataOffsetBytes && keyBytes === kept.keyBytes) return;
  const words = 'Data offset or key size differs on device and backup, restore failed.';
  throw new DmError(
    'EINVAL',
    `${words} The backup has ${kept.dataOffsetBytes} and ${kept.keyBytes} bytes, the device ${dataOffsetBytes} and ${keyBytes}`,
  );
}
