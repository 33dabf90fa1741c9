/** From ranges back to metadata: regular segments, the backups behind them, and which digest each has. Pure. */

import { dropUnusedDigests } from '../digests.ts';
import type { Luks2Metadata, Luks2Segment } from '../metadata.ts';
import { setRequirements } from '../requirements.ts';
import {
  diskOffsetOf,
  flagged,
  HOT_FLAG,
  type Range,
  REQUIREMENT,
  type ReencryptState,
  SECTOR_BYTES,
  type Side,
} from './state.ts';

const BACKUP_FLAGS = ['backup-previous', 'backup-final', 'backup-moved-segment'] as const;

/** Puts the ranges into the metadata in place of the regular segments. */
export function setRanges(
  metadata: Luks2Metadata,
  state: ReencryptState,
  ranges: readonly Range[],
): void {
  const segments: [Luks2Segment, number[]][] = ranges.map((range) => [
    segmentOf(state, range),
    digestsOf(state, range),
  ]);
  for (const flag of BACKUP_FLAGS) {
    const backup = flagged(metadata, flag)?.[1];
    if (!backup) continue;
    const { digest } = flag === 'backup-final' ? state.new : state.old;
    segments.push([backup, backup.type === 'crypt' && digest !== null ? [digest] : []]);
  }
  setSegments(metadata, segments);
}

/** All segments anew, in this order, each with the digests of its keys. */
export function setSegments(
  metadata: Luks2Metadata,
  segments: readonly (readonly [Luks2Segment, readonly number[]])[],
): void {
  metadata.segments = new Map(segments.map(([segment], number) => [number, segment]));
  for (const [number, digest] of metadata.digests) {
    digest.segments = segments.flatMap(([, digests], segment) =>
      digests.includes(number) ? [String(segment)] : [],
    );
  }
}

function segmentOf(state: ReencryptState, range: Range): Luks2Segment {
  const side = range.kind === 'old' ? state.old : state.new;
  const segment = sideSegment(side, {
    offsetBytes: diskOffsetOf(state, range),
    lengthBytes: range.lengthBytes,
    ivSectors: range.logicalBytes / SECTOR_BYTES,
  });
  if (range.kind === 'hot') segment.flags = [HOT_FLAG];
  return segment;
}

interface Where {
  offsetBytes: number;
  lengthBytes: number | null;
  /** Of its beginning, from the volume's. */
  ivSectors: number;
}

/** A segment with that side's cipher. */
export function sideSegment(
  side: Pick<Side, 'cipher' | 'sectorBytes' | 'ivTweak'>,
  { offsetBytes, lengthBytes, ivSectors }: Where,
): Luks2Segment {
  const size = lengthBytes === null ? 'dynamic' : String(lengthBytes);
  if (side.cipher === null) return { type: 'linear', offset: String(offsetBytes), size };
  return {
    type: 'crypt',
    offset: String(offsetBytes),
    size,
    iv_tweak: String(side.ivTweak + ivSectors),
    encryption: side.cipher,
    sector_size: side.sectorBytes,
  };
}

/** A hot zone of a changed key may be written with either. */
function digestsOf(state: ReencryptState, { kind }: Range): number[] {
  const { old, new: next, mode } = state;
  const sides =
    kind === 'hot' && mode === 'reencrypt' ? [old, next] : [kind === 'old' ? old : next];
  return sides.flatMap(({ digest }) => (digest === null ? [] : [digest]));
}

/** An area in the header that no key slot has any more: to be overwritten. */
interface FreedArea {
  offsetBytes: number;
  lengthBytes: number;
}

/** Turns the metadata into those of a volume that was never re-encrypted: the final segment, none of the old key slots. */
export function setFinished(
  metadata: Luks2Metadata,
  state: ReencryptState,
  sizeBytes: number | null,
): FreedArea[] {
  const { old, new: next } = state;
  const final = sideSegment(next, {
    offsetBytes: next.offsetBytes,
    lengthBytes: sizeBytes,
    ivSectors: 0,
  });
  setSegments(metadata, [[final, next.digest === null ? [] : [next.digest]]]);
  const dropped = new Set([state.slot]);
  if (old.digest !== null && old.digest !== next.digest) {
    for (const slot of metadata.digests.get(old.digest)?.keyslots ?? []) dropped.add(Number(slot));
  }
  const freed = [...dropped].flatMap((slot) => areaOf(metadata, slot));
  for (const slot of dropped) dropSlot(metadata, slot);
  dropUnusedDigests(metadata);
  const mandatory = metadata.config.requirements?.mandatory ?? [];
  setRequirements(
    metadata,
    mandatory.filter((name) => !REQUIREMENT.test(name)),
  );
  return freed;
}

function areaOf(metadata: Luks2Metadata, slot: number): FreedArea[] {
  const area = metadata.keyslots.get(slot)?.area;
  return area ? [{ offsetBytes: Number(area.offset), lengthBytes: Number(area.size) }] : [];
}

/** The key slot and everything that names it. */
function dropSlot(metadata: Luks2Metadata, slot: number): void {
  metadata.keyslots.delete(slot);
  const others = (names: readonly string[]) => names.filter((name) => name !== String(slot));
  for (const digest of metadata.digests.values()) digest.keyslots = others(digest.keyslots);
  for (const token of metadata.tokens.values()) {
    const keyslots = token.get('keyslots');
    if (Array.isArray(keyslots)) token.set('keyslots', others(keyslots as string[]));
  }
}
