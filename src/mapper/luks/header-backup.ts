/** A copy of the header with its key slots, as cryptsetup's luksHeaderBackup makes it, and back. */

import { DmError } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { openFileDisk } from '../../devices/byte-disk.ts';
import { openLuks, probeLuks } from '../../formats/luks/index.ts';
import type { LuksVolume } from '../../formats/luks/types.ts';
import { headerAreaSectors, roundUp } from '../../formats/luks1/layout.ts';
import { wholeHeaderBytes } from '../../formats/luks2/header.ts';
import { readHeader } from '../../formats/luks2/read-header.ts';

export interface HeaderBackup {
  readonly version: 1 | 2;
  readonly volume: LuksVolume;
  /** All of it. */
  readonly bytes: Uint8Array;
}

/** What cryptsetup rounds a LUKS1 backup up to. */
const PAGE_BYTES = 4096;
/** No header is larger: key slots take at most 128 MiB. */
const MAX_BACKUP_BYTES = 160 * 1024 * 1024;
const FIRST_SECTORS = 8;

/** Throws DmError, FormatError. */
export async function backUpHeader(disk: ByteDisk): Promise<Uint8Array> {
  const volume = await openLuks(disk);
  const lengthBytes = await headerBytes(disk, volume);
  return await disk.read(0, lengthBytes);
}

async function headerBytes(disk: ByteDisk, volume: LuksVolume): Promise<number> {
  if (volume.version === 2) return wholeHeaderBytes(await readHeader(disk));
  const areaBytes = roundUp(headerAreaSectors(volume.keyBytes) * SECTOR_BYTES, PAGE_BYTES);
  // A small header of another program may end with the data right behind it.
  const { dataOffsetBytes } = volume;
  const hasData = dataOffsetBytes >= FIRST_SECTORS * SECTOR_BYTES && dataOffsetBytes < areaBytes;
  return Math.min(hasData ? dataOffsetBytes : areaBytes, disk.sizeBytes);
}

/** Reads and checks a backup. Throws DmError, FormatError. */
export async function readBackup(path: string): Promise<HeaderBackup> {
  await using disk = await openFileDisk(path, { readOnly: true, lock: 'none' });
  if (disk.sizeBytes > MAX_BACKUP_BYTES) {
    throw new DmError('EINVAL', `Cannot read "${path}": no header has ${disk.sizeBytes} bytes`);
  }
  const volume = await openLuks(disk);
  return { version: volume.version, volume, bytes: await disk.read(0, disk.sizeBytes) };
}

/** Writes it over whatever header there is; the data must lie where that one has them. Throws DmError. */
export async function restoreHeader(disk: ByteDisk, backup: HeaderBackup): Promise<void> {
  const { bytes, volume } = backup;
  if (bytes.byteLength > disk.sizeBytes) {
    const sizes = `the backup has ${bytes.byteLength} bytes, the device ${disk.sizeBytes}`;
    throw new DmError('EINVAL', `Cannot restore header of ${disk.name}: ${sizes}`);
  }
  await checkSameData(disk, volume);
  await writeKeySlotsFirst(disk, backup);
}

/** As cryptsetup has it: only between headers of one version. */
async function checkSameData(disk: ByteDisk, backup: LuksVolume): Promise<void> {
  const there = await probeLuks(disk);
  if (there.kind !== 'luks' || there.version !== backup.version) return;
  const volume = await openLuks(disk);
  const isSame =
    volume.dataOffsetBytes === backup.dataOffsetBytes &&
    (volume.keyBytes === backup.keyBytes || volume.keyBytes === 0 || backup.keyBytes === 0);
  if (isSame) return;
  const words = 'Data offset or key size differs on device and backup, restore failed.';
  const was = `the device has ${volume.dataOffsetBytes} and ${volume.keyBytes} bytes`;
  throw new DmError(
    'EINVAL',
    `${words} The backup has ${backup.dataOffsetBytes} and ${backup.keyBytes} bytes, ${was}`,
  );
}

/** What makes a header of it comes last: torn, it is a damaged header and not one that lies about its slots. */
async function writeKeySlotsFirst(disk: ByteDisk, { bytes }: HeaderBackup): Promise<void> {
  await disk.write(PAGE_BYTES, bytes.subarray(PAGE_BYTES));
  await disk.flush();
  await disk.write(0, bytes.subarray(0, PAGE_BYTES));
  await disk.flush();
}
