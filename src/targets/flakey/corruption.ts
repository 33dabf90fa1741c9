/** Which bytes of which bios a flakey device that is down replaces. Those of a write in a copy: the data are still its sender's. */

import type { Prng } from '../../base/prng.ts';
import { type Bio, BioFlag, cloneBio, Op, recycleBio } from '../../core/bio.ts';
import type { TargetMemory } from '../../core/target-memory.ts';
import { type Direction, type FlakeyFeatures, PROBABILITY_BASE } from './features.ts';

interface Replacement {
  /** Byte of the bio's data, from 0. */
  index: number;
  value: number;
}

/** Bits of the kernel's `bi_opf` (include/linux/blk_types.h), those of them that a bio here can be said to have. */
const OPF_WRITE = 1;
const OPF_SYNC = 1 << 11;
const OPF_IDLE = 1 << 15;
const OPF_FUA = 1 << 17;

/** What a bio of direct I/O has in the kernel. */
function opfOf(bio: Bio): number {
  if (bio.op === Op.read) return OPF_SYNC;
  const isFua = (bio.flags & BioFlag.fua) !== 0;
  return OPF_WRITE | OPF_SYNC | OPF_IDLE | (isFua ? OPF_FUA : 0);
}

/** Whether anything that goes in this direction may be corrupted. */
export function corrupts(features: FlakeyFeatures, direction: Direction): boolean {
  return features.corruptByte?.direction === direction || chanceOf(features, direction) > 0;
}

function chanceOf(features: FlakeyFeatures, direction: Direction): number {
  return direction === 'r' ? features.randomReadCorrupt : features.randomWriteCorrupt;
}

/** What is to become of a bio that has data; none: it stays as it is. */
export function drawReplacements(features: FlakeyFeatures, bio: Bio, prng: Prng): Replacement[] {
  const direction = bio.op === Op.read ? 'r' : 'w';
  const { lengthBytes } = bio;
  const result: Replacement[] = [];
  const byte = features.corruptByte;
  if (byte?.direction === direction && byte.nth <= lengthBytes) {
    const hasFlags = (opfOf(bio) & byte.flags) >>> 0 === byte.flags;
    if (hasFlags) result.push({ index: byte.nth - 1, value: byte.value });
  }
  const chance = chanceOf(features, direction);
  if (chance > 0 && prng.integer(0, PROBABILITY_BASE - 1) < chance) {
    result.push({ index: prng.integer(0, lengthBytes - 1), value: prng.integer(0, 255) });
  }
  return result;
}

/** Sends a bio below that is rewritten already, and ends it. */
export function submitCorrupted(
  bio: Bio,
  replacements: readonly Replacement[],
  memory: TargetMemory,
): void {
  const clone = cloneBio(bio, 0, bio.sectorCount);
  const copy = bio.op === Op.write ? copyOfData(bio, memory) : null;
  if (copy !== null) {
    replace(copy, 0, replacements);
    clone.data = copy;
    clone.dataOffset = 0;
  }
  clone.onEnd = ({ error }) => {
    recycleBio(clone);
    if (copy !== null) memory.freeMemory(copy);
    else if (error === 0) replace(bio.data, bio.dataOffset, replacements);
    bio.end(error);
  };
  clone.device = bio.device;
  bio.device!.submit(clone);
}

function copyOfData(bio: Bio, memory: TargetMemory): Uint8Array {
  const { lengthBytes } = bio;
  const copy = memory.takeMemory(lengthBytes);
  copy.set(bio.data.subarray(bio.dataOffset, bio.dataOffset + lengthBytes));
  return copy;
}

function replace(data: Uint8Array, offset: number, replacements: readonly Replacement[]): void {
  for (const { index, value } of replacements) data[offset + index] = value;
}
