/** A LUKS2 header as the rest of this folder works with it. */

import type { CopyName } from './binary-header.ts';
import type { Luks2Metadata } from './metadata.ts';

export interface Luks2Header {
  /** Of one of the two copies; the key slots begin at twice that. */
  headerBytes: number;
  /** One more with every write. 1: nothing was written yet. */
  sequenceId: bigint;
  uuid: string;
  label: string;
  subsystem: string;
  checksumAlgorithm: string;
  /** Of both copies, for dumps; every write makes new ones. */
  salts: Readonly<Record<CopyName, Uint8Array>>;
  metadata: Luks2Metadata;
  /** What is wrong with a copy; it is put right by the next write. null: nothing. */
  damage: Readonly<Record<CopyName, CopyDamage | null>>;
}

export interface CopyDamage {
  /** `obsolete`: right in itself, and older than the other one. */
  kind: 'unreadable' | 'invalid' | 'obsolete';
  /** For people; `Cannot read primary LUKS2 header: ...`. */
  message: string;
}

export function keyslotsOffsetBytes(header: Luks2Header): number {
  return 2 * header.headerBytes;
}

export function keyslotsAreaBytes(header: Luks2Header): number {
  return Number(header.metadata.config.keyslots_size);
}

/** Both copies and the key slots: what a header backup holds. */
export function wholeHeaderBytes(header: Luks2Header): number {
  return keyslotsOffsetBytes(header) + keyslotsAreaBytes(header);
}

export function isDamaged(header: Luks2Header): boolean {
  return header.damage.primary !== null || header.damage.secondary !== null;
}

/** The copy's place. */
export function copyOffsetBytes(copy: CopyName, headerBytes: number): number {
  return copy === 'primary' ? 0 : headerBytes;
}
