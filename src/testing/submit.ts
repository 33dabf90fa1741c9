/** Bios as promises, for tests: submits one and resolves with its errno when it ends. */

import { assert } from '../base/assert.ts';
import { sectorsToBytes } from '../base/units.ts';
import { Bio, NO_DATA, Op } from '../core/bio.ts';
import type { BlockDevice } from '../core/device.ts';
import { type Extent, ExtentList } from '../core/extents.ts';

export interface BioRequest {
  op: Op;
  sector?: number;
  sectorCount?: number;
  flags?: number;
  data?: Uint8Array;
  /** Into `data`. */
  dataOffset?: number;
  extents?: ExtentList;
}

/** Throws when the bio ends twice; the promise stays open while it has not ended. */
export function submitBio(device: BlockDevice, request: BioRequest): Promise<number> {
  const bio = new Bio();
  bio.op = request.op;
  bio.device = device;
  bio.sector = request.sector ?? 0;
  bio.sectorCount = request.sectorCount ?? 0;
  bio.flags = request.flags ?? 0;
  bio.data = request.data ?? NO_DATA;
  bio.dataOffset = request.dataOffset ?? 0;
  bio.extents = request.extents ?? null;
  return new Promise((resolve) => {
    let hasEnded = false;
    bio.onEnd = (ended) => {
      assert(!hasEnded, 'a bio ends once');
      hasEnded = true;
      resolve(ended.error);
    };
    device.submit(bio);
  });
}

/** Rejects with the errno when the read fails. */
export async function readSectors(
  device: BlockDevice,
  sector: number,
  sectorCount: number,
): Promise<Uint8Array> {
  const data = new Uint8Array(sectorsToBytes(sectorCount));
  const errno = await submitBio(device, { op: Op.read, sector, sectorCount, data });
  if (errno !== 0) throw new Error(`Cannot read sector ${sector}: errno ${errno}`);
  return data;
}

/** Rejects with the errno when the query fails. */
export async function readExtents(
  device: BlockDevice,
  sector: number,
  sectorCount: number,
): Promise<Extent[]> {
  const extents = new ExtentList();
  const errno = await submitBio(device, { op: Op.blockStatus, sector, sectorCount, extents });
  if (errno !== 0) throw new Error(`Cannot query sector ${sector}: errno ${errno}`);
  return extents.normalized(sectorCount);
}
