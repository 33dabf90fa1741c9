/** The contract of what encrypts sectors: a cipher, a mode and an IV generator with one key. docs/decisions/0005-encryption.md */

import type { CipherSpec } from './cipher-spec.ts';

export interface SectorCipherOptions {
  spec: CipherSpec;
  /** The whole key as dm-crypt gets it (multi-key, with lmk's or tcw's seeds at the end); copied where it is needed, never kept otherwise. */
  key: Uint8Array;
  /** 512 to 4096, a power of two. */
  sectorBytes: number;
  /** IVs count sectors of `sectorBytes` instead of 512. */
  ivLargeSectors: boolean;
  /** Added to every IV's number, modulo 2^64. */
  ivOffset: bigint;
}

/**
 * From `source` to `target`, which may be the same range; no allocation per call. `lengthBytes` is a multiple of the sector's size. `sector` (512 bytes) is
 * that of the first byte, counted from where IVs count from 0 (before `ivOffset`), and lies on a boundary of the sector's size.
 */
export type SectorTransform = (
  source: Uint8Array,
  sourceOffset: number,
  target: Uint8Array,
  targetOffset: number,
  lengthBytes: number,
  sector: number,
) => void;

/** Synchronous, whole requests at once. */
export interface SectorCipher extends Disposable {
  readonly sectorBytes: number;
  readonly encrypt: SectorTransform;
  readonly decrypt: SectorTransform;
  /** Overwrites every key schedule; nothing works afterwards. */
  close(): void;
}
