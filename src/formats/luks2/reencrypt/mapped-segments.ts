/**
 * How a volume in re-encryption is mapped: a row for every segment, with the key of its side. A hot zone is recovered first (`recoverReencrypt`), because nobody can say
 * which of its sectors are old.
 */

import { DmError } from '../../../base/errors.ts';
import type { MappedSegment } from '../../luks/types.ts';
import type { Luks2Metadata } from '../metadata.ts';
import { diskOffsetOf, readState, requirementVersion, SECTOR_BYTES, volumeBytes } from './state.ts';

/** Throws DmError EBUSY while a hot zone waits for recovery. */
export function reencryptSegments(metadata: Luks2Metadata, dataBytes: number): MappedSegment[] {
  const state = readState(metadata);
  const totalBytes = volumeBytes(state, dataBytes);
  return state.ranges.map((range) => {
    if (range.kind === 'hot') {
      throw new DmError(
        'EBUSY',
        'Cannot open LUKS2 volume: its re-encryption was interrupted; open it for writing, or run repair, which recovers it',
      );
    }
    const side = range.kind === 'old' ? state.old : state.new;
    const lengthBytes = range.lengthBytes ?? totalBytes - range.logicalBytes;
    return {
      startSectors: range.logicalBytes / SECTOR_BYTES,
      lengthSectors: Math.floor(lengthBytes / SECTOR_BYTES),
      offsetSectors: diskOffsetOf(state, range) / SECTOR_BYTES,
      cipher: side.cipher,
      sectorBytes: side.sectorBytes,
      ivOffset: BigInt(side.ivTweak + range.logicalBytes / SECTOR_BYTES),
      digest: side.digest ?? 0,
    };
  });
}

/** The digests whose keys are needed to open, recover or continue it: old and new, null for plain text. */
export function reencryptDigests(metadata: Luks2Metadata): {
  old: number | null;
  new: number | null;
} {
  if (requirementVersion(metadata) === null) return { old: null, new: null };
  const state = readState(metadata);
  return { old: state.old.digest, new: state.new.digest };
}
