/** A read or write as it goes to the system: one bio, or several that are neighbours on the device. */

import { sectorsToBytes } from '../base/units.ts';
import { type Bio, BioFlag, Op } from '../core/bio.ts';

/** IOV_MAX of Linux; a longer readv is refused. */
const MAX_BIOS = 1024;
const MAX_MERGED_BYTES = 64 * 1024 * 1024;

export class Transfer {
  readonly op: Op;
  readonly fua: boolean;
  readonly startBytes: number;
  readonly bios: Bio[];
  lengthBytes: number;
  doneBytes = 0;

  constructor(bio: Bio) {
    this.op = bio.op;
    this.fua = isFua(bio);
    this.startBytes = sectorsToBytes(bio.sector);
    this.lengthBytes = bio.lengthBytes;
    this.bios = [bio];
  }

  /** Takes the bio in if it begins where this ends; false: it stays alone. */
  join(bio: Bio): boolean {
    if (bio.op !== this.op || isFua(bio) !== this.fua) return false;
    if (sectorsToBytes(bio.sector) !== this.startBytes + this.lengthBytes) return false;
    if (this.bios.length === MAX_BIOS) return false;
    if (this.lengthBytes + bio.lengthBytes > MAX_MERGED_BYTES) return false;
    this.bios.push(bio);
    this.lengthBytes += bio.lengthBytes;
    return true;
  }

  /** The memory still to be filled or written, in order. */
  remainingPieces(): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let skip = this.doneBytes;
    for (const bio of this.bios) {
      const length = bio.lengthBytes;
      if (skip < length) {
        const from = bio.dataOffset + skip;
        pieces.push(bio.data.subarray(from, bio.dataOffset + length));
      }
      skip = Math.max(0, skip - length);
    }
    return pieces;
  }
}

function isFua(bio: Bio): boolean {
  return bio.op === Op.write && (bio.flags & BioFlag.fua) !== 0;
}
