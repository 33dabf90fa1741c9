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

/** Synchronous, whole requests at once, no allocation per call. Ranges are multiples of `sectorBytes`. */
export interface SectorCipher extends Disposable {
  readonly sectorBytes: number;
  /**
   * From `source` to `target`, which may be the same range. `sector` (512 bytes) is that of the first byte, counted from where IVs count from 0 (before `ivOffset`),
   * and lies on a `sectorBytes` boundary.
   */
  encrypt(
    source: Uint8Array,
    sourceOffset: number,
    target: Uint8Array,
    targetOffset: number,
    lengthBytes: number,
    sector: number,
  ): void;
  decrypt(
    source: Uint8Array,
    sourceOffset: number,
    target: Uint8Array,
    targetOffset: number,
    lengthBytes: number,
    sector: number,
  ): void;
  /** Overwrites every key schedule; nothing works afterwards. */
  close(): void;
}
