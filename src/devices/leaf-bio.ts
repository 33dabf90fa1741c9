/** What every device at the bottom of a stack checks before it begins a bio. */

import { assert } from '../base/assert.ts';
import { Errno, errnoOf } from '../base/errors.ts';
import { type Bio, BioFlag, Op } from '../core/bio.ts';
import type { BlockDevice } from '../core/device.ts';

/** Node's exceptions carry the system's own number; libuv has no name for some (EDQUOT, ENOLINK ...). */
interface SystemError {
  errno?: unknown;
}

/** Mapped devices check their tables, so a refusal is rare: a device whose size was not known, or one in use after `close`. */
export function refusalOf(device: BlockDevice, bio: Bio): number {
  if (bio.op === Op.flush) return 0;
  if (bio.sector < 0 || bio.sector + bio.sectorCount > device.sizeSectors) return Errno.EIO;
  if (bio.isWrite && device.readOnly) return Errno.EROFS;
  if (carriesData(bio)) {
    const endBytes = bio.dataOffset + bio.lengthBytes;
    assert(endBytes <= bio.data.byteLength, 'a bio lies inside its data');
  }
  return 0;
}

export function isPrefetch(bio: Bio): boolean {
  return bio.op === Op.read && (bio.flags & BioFlag.prefetch) !== 0;
}

function carriesData(bio: Bio): boolean {
  return bio.op === Op.write || (bio.op === Op.read && !isPrefetch(bio));
}

/** The errno in the answer of a call of ours: a count, or a negative errno. */
export function resultErrno(result: number): number {
  return result < 0 ? -result : 0;
}

/** The errno of a failed call of `node:fs`. */
export function ioErrno(error: unknown): number {
  const number = (error as SystemError | null)?.errno;
  const isLinuxNumber = process.platform === 'linux' && typeof number === 'number' && number < 0;
  return isLinuxNumber ? -number : errnoOf(error);
}
