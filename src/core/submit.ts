/**
 * How a bio goes through a table: split at rows and at target boundaries, cloned, mapped, submitted below.
 * This is the hot path: no promise, no allocation (clones come from the pool), and one look at the clock per request.
 */

import { unreachable } from '../base/assert.ts';
import { Errno } from '../base/errors.ts';
import { type Bio, cloneBio, NO_DATA, Op, recycleBio, takeBio } from './bio.ts';
import type { BlockDevice } from './device.ts';
import { ExtentList } from './extents.ts';
import type { MappedDevice } from './mapped-device.ts';
import { beginPlug, endPlug } from './plug.ts';
import type { Row, Table } from './table.ts';
import { mapsFlush, type Target } from './target.ts';

/** In `Bio.error` of a bio that a target handed back; never leaves the mapped device. */
export const REQUEUE = -1;

export function submitToTable(device: MappedDevice, table: Table, bio: Bio): void {
  bio.error = 0;
  // One more than the clones, so that clones which end at once do not end the bio before the last one is out.
  bio.pendingCount = 1;
  if (bio.op === Op.flush) submitFlush(table, bio);
  else if (bio.sector + bio.sectorCount > table.sizeSectors) bio.error = Errno.EIO;
  else submitRange(table, bio);
  bio.pendingCount -= 1;
  if (bio.pendingCount === 0) device.finish(bio);
}

function submitRange(table: Table, bio: Bio): void {
  const { rowIndex } = table;
  const index = rowIndex.find(bio.sector);
  const shift = rowIndex.shiftOf(index);
  const fits = bio.sectorCount > 0 && bio.sector + bio.sectorCount <= rowIndex.endOf(index);
  if (fits && !Number.isNaN(shift) && bio.op !== Op.blockStatus) {
    submitShifted(bio, rowIndex.shiftDeviceOf(index), shift);
    return;
  }
  const row = table.rows[index]!;
  const isRangeOp = bio.op === Op.discard || bio.op === Op.writeZeroes;
  if (!(isRangeOp && row.target.rangeBioCount !== undefined)) {
    if (pieceLength(row, bio.op, bio.sector, bio.sectorCount) === bio.sectorCount) {
      submitClone(cloneBio(bio, 0, bio.sectorCount), row.target);
      return;
    }
  }
  beginPlug();
  let done = 0;
  while (done < bio.sectorCount) {
    done += submitNextPiece(table, bio, done, isRangeOp);
  }
  endPlug();
}

/** The usual request: all of it goes to one place of one device below, and no target needs to see it. */
function submitShifted(bio: Bio, device: BlockDevice, shift: number): void {
  const clone = cloneBio(bio, 0, bio.sectorCount);
  clone.device = device;
  clone.sector += shift;
  clone.onEnd = endClone;
  bio.pendingCount += 1;
  device.submit(clone);
}

/** Submits the piece that begins `done` sectors into the bio and returns its length. */
function submitNextPiece(table: Table, bio: Bio, done: number, isRangeOp: boolean): number {
  const sector = bio.sector + done;
  const left = bio.sectorCount - done;
  const row = table.find(sector);
  const copies = isRangeOp ? row.target.rangeBioCount : undefined;
  if (copies === undefined) {
    const length = pieceLength(row, bio.op, sector, left);
    submitClone(cloneBio(bio, done, length), row.target);
    return length;
  }
  const length = Math.min(left, row.end - sector);
  for (let number = 0; number < copies; number += 1) {
    const clone = cloneBio(bio, done, length);
    clone.targetBioNumber = number;
    submitClone(clone, row.target);
  }
  return length;
}

/** How much of [sector, sector + left) the row's target takes in one bio. */
function pieceLength(row: Row, op: Op, sector: number, left: number): number {
  const toRowEnd = row.end - sector;
  let length = Math.min(left, toRowEnd);
  const chunk = chunkOf(row.target, op);
  if (chunk !== undefined) {
    const offset = sector - row.start;
    const toChunkEnd = (Math.floor(offset / chunk) + 1) * chunk - offset;
    if (toChunkEnd < length) length = toChunkEnd;
  }
  return length;
}

function chunkOf(target: Target, op: Op): number | undefined {
  if (target.maxIoSectors !== undefined) return target.maxIoSectors;
  if (op === Op.read) return target.maxReadSectors;
  return op === Op.write ? target.maxWriteSectors : undefined;
}

/**
 * The pieces that a request is cut into, without submitting any: what the kernel counts as one request each. Discards are cut
 * at the borders of rows alone.
 */
export function visitPieces(
  table: Table,
  bio: Bio,
  visit: (sector: number, sectorCount: number) => void,
): void {
  const end = bio.sector + bio.sectorCount;
  for (let sector = bio.sector; sector < end; ) {
    const row = table.find(sector);
    const left = end - sector;
    const length =
      bio.op === Op.discard
        ? Math.min(left, row.end - sector)
        : pieceLength(row, bio.op, sector, left);
    visit(sector, length);
    sector += length;
  }
}

function submitClone(clone: Bio, target: Target): void {
  const bio = clone.parent!;
  bio.pendingCount += 1;
  clone.onEnd = endClone;
  if (clone.op === Op.blockStatus) attachExtents(clone, bio);
  if (target.end) clone.endedBy = target;
  const result = target.map(clone);
  switch (result) {
    case 'remapped':
      if (clone.sectorCount === 0 && clone.op !== Op.flush) clone.end(0);
      else clone.device!.submit(clone);
      return;
    case 'submitted':
      return;
    case 'requeue':
      refuseClone(clone, REQUEUE);
      return;
    case 'kill':
      refuseClone(clone, Errno.EIO);
      return;
    default:
      unreachable(result);
  }
}

/** Nothing was sent below, so the target that refused has no ending to see. */
function refuseClone(clone: Bio, error: number): void {
  clone.endedBy = null;
  clone.end(error);
}

/** A clone gathers its extents apart, since its sectors are counted from its own start. */
function attachExtents(clone: Bio, bio: Bio): void {
  const shiftSectors = clone.sector - bio.sector;
  clone.extents = new ExtentList();
  clone.onEnd = (ended) => {
    if (ended.error === 0) bio.extents?.addAll(ended.extents!, shiftSectors);
    endClone(ended);
  };
}

function endClone(clone: Bio): void {
  clone.endedBy?.end?.(clone);
  const bio = clone.parent!;
  // A clone handed back supersedes any failure: the whole request is done again.
  if (clone.error !== 0 && (bio.error === 0 || clone.error === REQUEUE)) bio.error = clone.error;
  if (clone.endMs > bio.endMs) bio.endMs = clone.endMs;
  recycleBio(clone);
  bio.pendingCount -= 1;
  if (bio.pendingCount === 0) (bio.device as MappedDevice).finish(bio);
}

/** A flush goes once to every device below, and through `map` of targets that have to do with it. */
function submitFlush(table: Table, bio: Bio): void {
  for (const row of table.rows) {
    if (mapsFlush(row.targetType)) submitClone(cloneBio(bio, 0, 0), row.target);
  }
  for (const device of table.flushedDevices) {
    const clone = takeBio();
    clone.op = Op.flush;
    clone.data = NO_DATA;
    clone.sector = 0;
    clone.sectorCount = 0;
    clone.device = device;
    clone.parent = bio;
    clone.startMs = bio.startMs;
    clone.onEnd = endClone;
    bio.pendingCount += 1;
    device.submit(clone);
  }
}
