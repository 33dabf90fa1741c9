/**
 * Which hot zone comes next, where its data are read and written, and what protects it. Pure: from the state to a decision.
 *
 * A step is safe because, from the moment its header is on the disk until the next header is, every sector of the hot zone can be told to be old or new
 * (checksum), is kept a second time (journal), or is still whole where it was read (source).
 */

import { assert } from '../../../base/assert.ts';
import { DmError } from '../../../base/errors.ts';
import { malformed, type Range, type ReencryptState } from './state.ts';

/** `source`: what is read lies elsewhere than what is written. */
export type StepProtection = 'checksum' | 'journal' | 'none' | 'source';

export interface Step {
  logicalBytes: number;
  lengthBytes: number;
  /** On the data disk. */
  readBytes: number;
  writeBytes: number;
  protection: StepProtection;
}

/** The volume's size, and whether segments name it instead of reaching to the end of the device. */
export interface VolumeSize {
  totalBytes: number;
  isFixed: boolean;
}

export interface StepLimits extends VolumeSize {
  /** Bytes of one hash; 0 without checksums. */
  digestBytes: number;
  /** Hot zones are multiples of it, but for the last. */
  alignmentBytes: number;
  /** What the user allows; undefined: the default. */
  hotzoneBytes: number | undefined;
}

/** With journal or none, as in cryptsetup; also what is kept in memory. */
const DEFAULT_HOTZONE_BYTES = 20 * 1024 * 1024;
const DEFAULT_CHECKSUM_HOTZONE_BYTES = 64 * 1024 * 1024;
/** cryptsetup's hard limit. */
const MAX_HOTZONE_BYTES = 1024 * 1024 * 1024;

/** null: nothing is old any more. The state must be clean. */
export function nextStep(state: ReencryptState, limits: StepLimits): Step | null {
  assert(!state.ranges.some((range) => range.kind === 'hot'), 'a hot zone is recovered first');
  const old = oldRanges(state, limits.totalBytes);
  const chosen = state.moved ? chooseMoved(state.moved.lengthBytes, old) : chooseOnly(old);
  if (chosen === null) return null;
  return stepAt(state, trim(state, chosen, limits));
}

/** The step that was under way when the header was written; null when it was clean. */
export function interruptedStep(state: ReencryptState): Step | null {
  const hot = state.ranges.find((range) => range.kind === 'hot');
  if (!hot) return null;
  if (hot.lengthBytes === null) throw malformed('in-reencryption', 'bytes', 'dynamic');
  return stepAt(state, { startBytes: hot.logicalBytes, lengthBytes: hot.lengthBytes });
}

interface Extent {
  startBytes: number;
  lengthBytes: number;
}

function oldRanges(state: ReencryptState, totalBytes: number): Extent[] {
  return state.ranges
    .filter((range) => range.kind === 'old')
    .map((range) => ({
      startBytes: range.logicalBytes,
      lengthBytes: range.lengthBytes ?? totalBytes - range.logicalBytes,
    }));
}

function chooseOnly(old: Extent[]): Extent | null {
  if (old.length > 1) throw malformed('segments', 'one range that is old', old.length);
  return old[0] ?? null;
}

/** The moved beginning comes last, as a whole. */
function chooseMoved(movedBytes: number, old: Extent[]): Extent | null {
  const [first, rest, ...more] = old;
  if (!first) return null;
  if (more.length > 0 || first.startBytes !== 0 || first.lengthBytes !== movedBytes) {
    throw malformed('segments', 'the moved beginning and one range more', describe(old));
  }
  return rest ?? first;
}

const describe = (extents: readonly Extent[]) =>
  extents.map((extent) => `${extent.startBytes}+${extent.lengthBytes}`).join(', ');

/** The part of the old range that is done now, at its beginning or its end. */
function trim(state: ReencryptState, chosen: Extent, limits: StepLimits): Extent {
  if (state.moved && chosen.startBytes === 0) return chosen;
  const lengthBytes = Math.min(chosen.lengthBytes, longestStep(state, limits));
  const isForward = state.direction === 'forward';
  const startBytes = isForward
    ? chosen.startBytes
    : chosen.startBytes + chosen.lengthBytes - lengthBytes;
  return { startBytes, lengthBytes };
}

/** Throws DmError EINVAL for a hot zone that is no multiple of the alignment, or for an area that protects nothing. */
function longestStep({ protection }: ReencryptState, limits: StepLimits): number {
  const { alignmentBytes, hotzoneBytes, digestBytes } = limits;
  if (protection.type.startsWith('datashift')) return protection.shiftBytes;
  if (hotzoneBytes !== undefined && hotzoneBytes % alignmentBytes !== 0) {
    throw new DmError(
      'EINVAL',
      `Hotzone size must be multiple of calculated zone alignment (${alignmentBytes} bytes), got ${hotzoneBytes}`,
    );
  }
  let lengthBytes = hotzoneBytes ?? DEFAULT_HOTZONE_BYTES;
  if (protection.type === 'checksum') {
    lengthBytes = Math.min(
      hotzoneBytes ?? DEFAULT_CHECKSUM_HOTZONE_BYTES,
      Math.floor(protection.areaLengthBytes / digestBytes) * protection.blockBytes,
    );
  } else if (protection.type === 'journal') {
    lengthBytes = Math.min(lengthBytes, protection.areaLengthBytes);
  }
  lengthBytes = Math.min(lengthBytes, MAX_HOTZONE_BYTES);
  lengthBytes -= lengthBytes % alignmentBytes;
  if (lengthBytes <= 0) {
    throw new DmError(
      'ENOSPC',
      `Cannot re-encrypt: the area of ${protection.areaLengthBytes} bytes protects no hot zone of ${alignmentBytes} bytes`,
    );
  }
  return lengthBytes;
}

function stepAt(state: ReencryptState, { startBytes, lengthBytes }: Extent): Step {
  const { moved } = state;
  const isMoved = moved !== null && startBytes === 0;
  const readBytes = (isMoved ? moved.offsetBytes : state.old.offsetBytes) + startBytes;
  const writeBytes = state.new.offsetBytes + startBytes;
  if (isMoved ? lengthBytes !== moved.lengthBytes : startBytes < (moved?.lengthBytes ?? 0)) {
    throw malformed('in-reencryption', 'the moved beginning as a whole', `${lengthBytes} bytes`);
  }
  const step = { logicalBytes: startBytes, lengthBytes, readBytes, writeBytes };
  return { ...step, protection: protectionOf(state, step) };
}

function protectionOf(
  { protection }: ReencryptState,
  { readBytes, writeBytes, lengthBytes }: Omit<Step, 'protection'>,
): StepProtection {
  switch (protection.type) {
    case 'checksum':
    case 'journal':
    case 'none':
      if (readBytes !== writeBytes) throw malformed('area.type', 'datashift', protection.type);
      return protection.type;
    default: {
      if (Math.abs(readBytes - writeBytes) >= lengthBytes) return 'source';
      if (readBytes !== writeBytes) {
        throw malformed('area.shift_size', `at least ${lengthBytes}`, protection.shiftBytes);
      }
      if (protection.type === 'datashift-checksum') return 'checksum';
      if (protection.type === 'datashift-journal') return 'journal';
      throw malformed('area.type', 'what protects data in place', protection.type);
    }
  }
}

/** What the area must hold for this step. */
export function protectionBytes(
  state: ReencryptState,
  step: Pick<Step, 'lengthBytes' | 'protection'>,
  digestBytes: number,
): number {
  if (step.protection === 'journal') return step.lengthBytes;
  if (step.protection !== 'checksum') return 0;
  return Math.ceil(step.lengthBytes / state.protection.blockBytes) * digestBytes;
}

/** The ranges while the step is under way (`hot`) or behind it (`new`). */
export function rangesWith(
  state: ReencryptState,
  step: Step,
  kind: 'hot' | 'new',
  volume: VolumeSize,
): Range[] {
  const { totalBytes } = volume;
  const pieces: Range[] = [];
  const endBytes = step.logicalBytes + step.lengthBytes;
  for (const range of state.ranges) {
    const start = range.logicalBytes;
    const end = range.lengthBytes === null ? totalBytes : start + range.lengthBytes;
    addPiece(pieces, range.kind, start, Math.min(end, step.logicalBytes));
    const from = Math.max(start, step.logicalBytes);
    addPiece(pieces, kind, from, Math.min(end, endBytes));
    addPiece(pieces, range.kind, Math.max(start, endBytes), end);
  }
  return openEnded(pieces, volume);
}

function addPiece(pieces: Range[], kind: Range['kind'], start: number, end: number): void {
  if (start >= end) return;
  const last = pieces.at(-1);
  const isSame = last?.kind === kind && kind !== 'old';
  if (isSame && last.lengthBytes !== null) last.lengthBytes += end - start;
  else pieces.push({ kind, logicalBytes: start, lengthBytes: end - start });
}

/** The last range reaches to the end of the device, unless the volume's size was fixed from the start, or it is hot. */
function openEnded(pieces: Range[], { totalBytes, isFixed }: VolumeSize): Range[] {
  const last = pieces.at(-1);
  assert(
    last && last.logicalBytes + (last.lengthBytes ?? 0) === totalBytes,
    'the ranges cover the volume',
  );
  if (last.kind !== 'hot' && !isFixed) last.lengthBytes = null;
  return pieces;
}
