/**
 * The contract of IV generators: the IVs of all sectors of a run at once. Those that change the data too (lmk, tcw's whitening, elephant's diffuser)
 * do it in `prepare`, before the mode, and in `finish`, behind it.
 */

import { DmError } from '../../base/errors.ts';
import type { CipherType } from '../cipher/block-cipher.ts';
import type { CipherEngine } from '../cipher-engine.ts';
import type { ChainMode } from '../cipher-spec.ts';
import type { Mode } from '../mode/chain-mode.ts';

/** Some consecutive sectors with one key, in the engine's memory. The same object every time. */
export interface SectorRun {
  encrypting: boolean;
  /** Address of the data: plaintext before encryption and behind decryption. */
  dataAt: number;
  sectorBytes: number;
  sectorCount: number;
  /** Address of `ivBytes` for each sector, packed; the mode may change them. */
  ivsAt: number;
  ivBytes: number;
  /** The IV's number of the first sector, modulo 2^64, as two unsigned halves. */
  numberLow: number;
  numberHigh: number;
  /** From one sector to the next: 1, or the sectors of 512 bytes in a larger one. */
  numberStep: number;
}

export interface IvGenerator {
  /** Fills the IVs, every byte of them; may change the data. */
  prepare(run: SectorRun): void;
  /** What is left to change in the data behind the mode. */
  finish?(run: SectorRun): void;
  /** Overwrites what is secret. */
  close(): void;
}

export interface IvContext {
  readonly engine: CipherEngine;
  readonly cipher: CipherType;
  readonly mode: ChainMode;
  /** The key of the sectors that get these IVs. */
  readonly cipherKey: Uint8Array;
  /** The first of the keys: the same, but for multi-key ciphers. */
  readonly firstKey: Uint8Array;
  /** What `extraKeyBytes` took from the end of the whole key; wiped by the caller. */
  readonly extraKey: Uint8Array;
  /** Behind the colon: `sha256` of `essiv:sha256`. */
  readonly ivOptions: string | null;
  /** The block of the cipher: 8 or 16. */
  readonly ivBytes: number;
  readonly sectorBytes: number;
  /** The chain mode with the first key, for IVs that are made with it. */
  createMode(): Mode;
  /** The `essiv(...)` templates around the chain mode, with the first key; the result owns `inner`. */
  wrapInTemplates(inner: IvGenerator): IvGenerator;
}

/** For those that are defined for sectors of 512 bytes alone; `label` is the kernel's spelling. */
export function demandSectorsOf512(label: string, { sectorBytes }: IvContext): void {
  if (sectorBytes === 512) return;
  throw new DmError(
    'EINVAL',
    `Cannot use ${label.toLowerCase()}: Error creating IV, Unsupported sector size for ${label}, expected 512, got ${sectorBytes}`,
  );
}

export interface IvType {
  /** The kernel's. */
  readonly name: string;
  /** How many keys this one needs besides `keyCount`, and their bytes; absent: none. Throws `DmError` for a length that cannot be. */
  extraKeyBytes?(keyLengthBytes: number, keyCount: number, ivBytes: number): number;
  /** Throws `DmError` in the kernel's words for what does not go together. */
  create(context: IvContext): IvGenerator;
}
