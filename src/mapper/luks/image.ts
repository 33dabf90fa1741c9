/** A LUKS image that is open: its disks, their locks, and the volume whose header was read. */

import { DmError } from '../../base/errors.ts';
import { type DiskLock, type FileDisk, openFileDisk } from '../../devices/byte-disk.ts';
import { openLuks } from '../../formats/luks/index.ts';
import type { LuksVolume } from '../../formats/luks/types.ts';

export interface OpenImageOptions {
  /** Path of a detached header. */
  header?: string;
  readOnly?: boolean;
  /** `header`: for those who read it or change slots and labels; `image`: for those who change what the data are. Default `header`. */
  lock?: DiskLock;
  /** Only this version will do. */
  version?: 1 | 2;
}

export interface LuksImage extends AsyncDisposable {
  readonly path: string;
  readonly header: FileDisk;
  /** The same as `header` unless that is detached. */
  readonly data: FileDisk;
  readonly isDetached: boolean;
  readonly volume: LuksVolume;
}

/** Throws DmError: ENOENT, EACCES, EBUSY ...; ENODATA: there is no header. FormatError: it is damaged. */
export async function openLuksImage(
  path: string,
  options: OpenImageOptions = {},
): Promise<LuksImage> {
  const { header: headerPath, readOnly = false, lock = 'header', version } = options;
  const disks: FileDisk[] = [];
  try {
    const header = await openFileDisk(headerPath ?? path, { readOnly, lock });
    disks.push(header);
    const data = headerPath === undefined ? header : await openData(path, options);
    if (data !== header) disks.push(data);
    const volume = await openLuks(header);
    checkVersion(volume, version, header.name);
    return {
      path,
      header,
      data,
      isDetached: data !== header,
      volume,
      [Symbol.asyncDispose]: () => closeAll(disks),
    };
  } catch (error) {
    await closeAll(disks);
    throw error;
  }
}

/** Of a detached header; who only edits that header looks at the data's size at most. */
function openData(path: string, { readOnly = false, lock }: OpenImageOptions): Promise<FileDisk> {
  if (lock === 'image') return openFileDisk(path, { readOnly, lock });
  return openFileDisk(path, { readOnly: true, lock: 'none' });
}

function checkVersion(volume: LuksVolume, wanted: 1 | 2 | undefined, name: string): void {
  if (wanted === undefined || wanted === volume.version) return;
  const got = `it is LUKS${volume.version}, expected LUKS${wanted}`;
  throw new DmError('ENODATA', `Cannot open "${name}": ${got}`);
}

async function closeAll(disks: readonly FileDisk[]): Promise<void> {
  for (const disk of [...disks].reverse()) await disk.close();
}
