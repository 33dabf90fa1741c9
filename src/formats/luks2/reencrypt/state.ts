/**
 * The state of a re-encryption, read from the metadata: which ranges of the volume are old, new or hot, where each lies, and what protects the hot one.
 * Offsets inside the volume (`logical`) count from its first data byte; offsets on the data disk are those of segments.
 *
 * Source: LUKS2 On-Disk Format Specification 1.1, section 4; the metadata that cryptsetup 2.6.1 writes.
 */

import { DmError, FormatError } from '../../../base/errors.ts';
import {
  isBackupSegment,
  isCryptSegment,
  isReencryptSlot,
  type Luks2Metadata,
  type Luks2ReencryptKeyslot,
  type Luks2Segment,
} from '../metadata.ts';
import type { ReencryptDirection, ReencryptMode, Resilience } from './types.ts';

export const SECTOR_BYTES = 512;
export const HOT_FLAG = 'in-reencryption';
export const REQUIREMENT = /^online-reencrypt(?:-v(\d+))?$/;

/** All the data on one side of the re-encryption. */
export interface Side {
  offsetBytes: number;
  /** null: to the end of the device. */
  sizeBytes: number | null;
  /** null: plain text. */
  cipher: string | null;
  sectorBytes: number;
  ivTweak: number;
  digest: number | null;
}

export type RangeKind = 'old' | 'hot' | 'new';

/** A regular segment. */
export interface Range {
  kind: RangeKind;
  logicalBytes: number;
  /** null: to the end of the device. */
  lengthBytes: number | null;
}

export interface Protection {
  type: Resilience;
  hash: string | null;
  /** What one checksum covers; 0 without checksums. */
  blockBytes: number;
  shiftBytes: number;
  areaOffsetBytes: number;
  areaLengthBytes: number;
}

export interface ReencryptState {
  mode: ReencryptMode;
  direction: ReencryptDirection;
  /** Of the requirement: 1, 2 or 3. */
  version: number;
  slot: number;
  protection: Protection;
  old: Side;
  new: Side;
  /** The beginning of the volume, which lies elsewhere until it is re-encrypted, last of all. */
  moved: { offsetBytes: number; lengthBytes: number } | null;
  ranges: Range[];
}

/** 1 for the form without a version. */
export function requirementVersion(metadata: Luks2Metadata): number | null {
  for (const name of metadata.config.requirements?.mandatory ?? []) {
    const match = REQUIREMENT.exec(name);
    if (match) return Number(match[1] ?? 1);
  }
  return null;
}

/** Throws FormatError when the parts do not belong together. The metadata passed the checks of every header. */
export function readState(metadata: Luks2Metadata): ReencryptState {
  const version = requirementVersion(metadata);
  if (version === null) throw malformed('config.requirements', 'online-reencrypt-v2', 'nothing');
  if (version < 1 || version > 3) throw malformed('config.requirements', 'version 1 to 3', version);
  const [slot, keyslot] = reencryptSlot(metadata);
  const previous = flagged(metadata, 'backup-previous');
  const final = flagged(metadata, 'backup-final');
  if (!previous || !final) {
    throw malformed('segments', 'backup-previous and backup-final', 'one of them missing');
  }
  const state: ReencryptState = {
    mode: keyslot.mode,
    direction: keyslot.direction,
    version,
    slot,
    protection: protectionOf(keyslot),
    old: sideOf(metadata, previous),
    new: sideOf(metadata, final),
    moved: movedOf(metadata),
    ranges: [],
  };
  checkSides(state);
  state.ranges = rangesOf(metadata, state);
  return state;
}

/** Whether nothing is left to do but to clean up: cryptsetup may be killed there. */
export function isComplete(state: ReencryptState): boolean {
  return state.ranges.every((range) => range.kind === 'new');
}

/** The volume's size. Throws FormatError when the disk is too small for it. */
export function volumeBytes(state: ReencryptState, diskBytes: number): number {
  const known = fixedBytes(state);
  const first = Math.max(state.old.offsetBytes, state.new.offsetBytes);
  const room = diskBytes - first;
  if (known !== null && known <= diskBytes) return known;
  if (known !== null || room <= lastStart(state)) {
    const wanted = known ?? first + lastStart(state) + SECTOR_BYTES;
    throw new DmError(
      'EINVAL',
      `Cannot re-encrypt: device is too small, expected at least ${wanted} bytes, got ${diskBytes}`,
    );
  }
  return room;
}

/** null: to the end of the device. */
export function fixedBytes(state: ReencryptState): number | null {
  let sum = 0;
  for (const range of state.ranges) {
    if (range.lengthBytes === null) return null;
    sum += range.lengthBytes;
  }
  return sum;
}

function lastStart(state: ReencryptState): number {
  return state.ranges.at(-1)?.logicalBytes ?? 0;
}

export function reencryptSlot(metadata: Luks2Metadata): [number, Luks2ReencryptKeyslot] {
  const found: [number, Luks2ReencryptKeyslot][] = [];
  for (const [number, slot] of metadata.keyslots) {
    if (isReencryptSlot(slot)) found.push([number, slot]);
  }
  const [only, ...more] = found;
  if (!only || more.length > 0) {
    throw malformed('keyslots', 'one key slot of type reencrypt', found.length);
  }
  return only;
}

export function flagged(metadata: Luks2Metadata, flag: string): [number, Luks2Segment] | null {
  for (const entry of metadata.segments) if (entry[1].flags?.includes(flag)) return entry;
  return null;
}

export function isHot(segment: Luks2Segment): boolean {
  return segment.flags?.includes(HOT_FLAG) ?? false;
}

/** The lowest of the digests that name the segment, as cryptsetup takes it. */
function digestOf(metadata: Luks2Metadata, segment: number): number | null {
  for (const [number, digest] of metadata.digests) {
    if (digest.segments.includes(String(segment))) return number;
  }
  return null;
}

function sideOf(metadata: Luks2Metadata, [number, segment]: [number, Luks2Segment]): Side {
  const crypt = isCryptSegment(segment) ? segment : null;
  return {
    offsetBytes: bytesOf(segment.offset, 'offset'),
    sizeBytes: segment.size === 'dynamic' ? null : bytesOf(segment.size, 'size'),
    cipher: crypt?.encryption ?? null,
    sectorBytes: crypt?.sector_size ?? SECTOR_BYTES,
    ivTweak: crypt ? bytesOf(crypt.iv_tweak, 'iv_tweak') : 0,
    digest: crypt ? digestOf(metadata, number) : null,
  };
}

function movedOf(metadata: Luks2Metadata): ReencryptState['moved'] {
  const moved = flagged(metadata, 'backup-moved-segment')?.[1];
  if (!moved) return null;
  return { offsetBytes: bytesOf(moved.offset, 'offset'), lengthBytes: bytesOf(moved.size, 'size') };
}

function protectionOf({ area }: Luks2ReencryptKeyslot): Protection {
  return {
    type: area.type,
    hash: area.hash ?? null,
    blockBytes: area.sector_size ?? 0,
    shiftBytes: area.shift_size === undefined ? 0 : bytesOf(area.shift_size, 'shift_size'),
    areaOffsetBytes: bytesOf(area.offset, 'area.offset'),
    areaLengthBytes: bytesOf(area.size, 'area.size'),
  };
}

function checkSides(state: ReencryptState): void {
  const { mode, old, protection } = state;
  const wantsOld = mode !== 'encrypt';
  const wantsNew = mode !== 'decrypt';
  if ((old.cipher !== null) !== wantsOld) throw malformed('backup-previous', mode, old.cipher);
  if ((state.new.cipher !== null) !== wantsNew) {
    throw malformed('backup-final', mode, state.new.cipher);
  }
  if (wantsOld && old.digest === null) throw malformed('backup-previous', 'a digest', 'none');
  if (wantsNew && state.new.digest === null) throw malformed('backup-final', 'a digest', 'none');
  const hasShift = protection.type.startsWith('datashift');
  if (hasShift !== protection.shiftBytes > 0) {
    throw malformed('area.shift_size', protection.type, protection.shiftBytes);
  }
  if (hasShift && state.moved === null && old.offsetBytes === state.new.offsetBytes) {
    throw malformed('backup-final', 'an offset that differs, for datashift', old.offsetBytes);
  }
  if (state.moved && !hasShift) throw malformed('area.type', 'datashift', protection.type);
  checkMoved(state);
}

/** The two kinds with a moved beginning that exist: encryption backward, decryption forward. */
function checkMoved({ mode, direction, moved, old, protection }: ReencryptState): void {
  if (!moved) return;
  const kind = `${mode} ${direction}`;
  if (kind !== 'encrypt backward' && kind !== 'decrypt forward') {
    throw malformed('backup-moved-segment', 'encrypt backward or decrypt forward', kind);
  }
  if (mode === 'encrypt' && old.sizeBytes === null) {
    throw malformed('backup-previous.size', 'bytes', 'dynamic');
  }
  if (moved.lengthBytes > protection.shiftBytes) {
    throw malformed('backup-moved-segment', `${protection.shiftBytes} at most`, moved.lengthBytes);
  }
}

function rangesOf(metadata: Luks2Metadata, state: ReencryptState): Range[] {
  const regular = [...metadata.segments]
    .filter(([, segment]) => !isBackupSegment(segment))
    .sort(([left], [right]) => left - right);
  const hotIndex = regular.findIndex(([, segment]) => isHot(segment));
  const ranges: Range[] = [];
  let logicalBytes = 0;
  for (const [index, [number, segment]] of regular.entries()) {
    const kind = kindOf(state, metadata, { number, segment, index, hotIndex }, regular.length);
    const lengthBytes = segment.size === 'dynamic' ? null : bytesOf(segment.size, 'size');
    if (lengthBytes === null && index !== regular.length - 1) {
      throw malformed(`segments.${number}.size`, 'bytes, except in the last', 'dynamic');
    }
    const range: Range = { kind, logicalBytes, lengthBytes };
    const expected = diskOffsetOf(state, range);
    if (bytesOf(segment.offset, 'offset') !== expected) {
      throw malformed(`segments.${number}.offset`, expected, segment.offset);
    }
    ranges.push(range);
    logicalBytes += lengthBytes ?? 0;
  }
  return mergeRanges(ranges);
}

/** Where a range lies on the data disk. */
export function diskOffsetOf(state: ReencryptState, range: Range): number {
  const { moved } = state;
  if (range.kind !== 'old') return state.new.offsetBytes + range.logicalBytes;
  if (moved && range.logicalBytes < moved.lengthBytes)
    return moved.offsetBytes + range.logicalBytes;
  return state.old.offsetBytes + range.logicalBytes;
}

interface Place {
  number: number;
  segment: Luks2Segment;
  index: number;
  hotIndex: number;
}

function kindOf(
  state: ReencryptState,
  metadata: Luks2Metadata,
  { number, segment, index, hotIndex }: Place,
  count: number,
): RangeKind {
  if (index === hotIndex) return 'hot';
  if (state.mode !== 'reencrypt') {
    return isCryptSegment(segment) === (state.mode === 'encrypt') ? 'new' : 'old';
  }
  const isForward = state.direction === 'forward';
  if (hotIndex >= 0) return index < hotIndex === isForward ? 'new' : 'old';
  if (count > 1) return (index === 0) === isForward ? 'new' : 'old';
  return looksNew(state, sideOf(metadata, [number, segment])) ? 'new' : 'old';
}

/** A single segment is all old, before the first hot zone, or all new, behind the last. */
function looksNew(state: ReencryptState, only: Side): boolean {
  const isLike = (side: Side) =>
    side.offsetBytes === only.offsetBytes &&
    side.cipher === only.cipher &&
    side.sectorBytes === only.sectorBytes &&
    side.digest === only.digest;
  return isLike(state.new) && !isLike(state.old);
}

/** Neighbours of one kind that also lie side by side on the disk; a moved beginning stays apart. */
function mergeRanges(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last && last.kind === 'new' && range.kind === 'new' && last.lengthBytes !== null) {
      last.lengthBytes = range.lengthBytes === null ? null : last.lengthBytes + range.lengthBytes;
    } else {
      merged.push({ ...range });
    }
  }
  return merged;
}

/** Headers hold 64-bit numbers as text; what is larger than a disk can be is refused. */
export function bytesOf(text: string, field: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw malformed(field, 'a number up to 2^53', text);
  return value;
}

export function malformed(field: string, expected: unknown, got: unknown): FormatError {
  return new FormatError({
    format: 'LUKS2 re-encryption metadata',
    field,
    offsetBytes: 0,
    expected: String(expected),
    got: String(got),
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
