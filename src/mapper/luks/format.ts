/** A new LUKS volume in a file or block device; its detached header, if wanted, in a file that is made for it. */

import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { DmError } from '../../base/errors.ts';
import { type FileDisk, openFileDisk } from '../../devices/byte-disk.ts';
import { formatLuks } from '../../formats/luks/index.ts';
import type { FormatRequest } from '../../formats/luks/types.ts';

type DataFact = 'detached' | 'dataSizeBytes' | 'bestSectorBytes';

export interface FormatImageRequest extends Omit<FormatRequest, DataFact> {
  /** Default: 2 */
  version?: 1 | 2;
  /** Path of a detached header; a file is made if there is none. */
  header?: string;
}

/** What a LUKS header takes at most by default; a file that is made for one gets it. */
const HEADER_FILE_BYTES = 16 * 1024 * 1024;

/** Everything that was there is lost. Throws DmError. */
export async function formatLuksImage(
  path: string,
  { header: headerPath, version = 2, ...request }: FormatImageRequest,
): Promise<void> {
  await using data = await openFileDisk(path, { readOnly: false, lock: 'image' });
  if (headerPath === undefined) {
    if (data.sizeBytes === 0) {
      const words = `Device ${path} is too small. It is empty; expected the size that the image`;
      throw new DmError('EINVAL', `${words} shall have: truncate -s 1G ${path}`);
    }
    await formatLuks(data, version, { ...request, detached: false, ...factsOf(data) });
    return;
  }
  makeHeaderFile(headerPath, request);
  await using header = await openFileDisk(headerPath, { readOnly: false, lock: 'image' });
  await formatLuks(header, version, { ...request, detached: true, ...factsOf(data) });
}

function factsOf({
  sizeBytes,
  bestSectorBytes,
}: FileDisk): Pick<FormatRequest, 'dataSizeBytes' | 'bestSectorBytes'> {
  return { dataSizeBytes: sizeBytes, bestSectorBytes };
}

/** One that is there stays as long as it is, unless there must be none. Throws DmError EEXIST. */
export function makeHeaderFile(
  path: string,
  { metadataBytes = 0, keyslotsBytes = 0 }: Pick<FormatRequest, 'metadataBytes' | 'keyslotsBytes'>,
  { mustBeNew = false } = {},
): void {
  let fd: number;
  try {
    fd = openSync(path, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (!mustBeNew) return;
    throw new DmError('EEXIST', `Cannot make a header in "${path}": the file is there already`);
  }
  try {
    ftruncateSync(fd, Math.max(HEADER_FILE_BYTES, 2 * metadataBytes + keyslotsBytes));
  } finally {
    closeSync(fd);
  }
}
