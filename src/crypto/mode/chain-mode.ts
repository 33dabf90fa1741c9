/** The contract of chain modes: the data of a run over bulk ECB, with the IVs that the generator made. */

import type { CipherType } from '../cipher/block-cipher.ts';
import type { CipherEngine } from '../cipher-engine.ts';
import type { SectorRun } from '../iv/iv-generator.ts';

export interface Mode {
  /** May change the run's IVs. */
  encrypt(run: SectorRun): void;
  decrypt(run: SectorRun): void;
  /** Overwrites the key schedules. */
  close(): void;
}

export interface ModeType {
  /** Of the mode's key for a cipher's key: xts has two. */
  readonly keysPerCipher: 1 | 2;
  /** ecb has no IV at all. */
  readonly hasIv: boolean;
  /** Has checked the lengths already. */
  create(cipher: CipherType, key: Uint8Array, engine: CipherEngine): Mode;
}
