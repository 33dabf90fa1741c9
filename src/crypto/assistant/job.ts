/** A piece of cipher work, as two threads see it that do it together. */

import { SECTOR_BYTES } from '../../base/units.ts';
import { RUN_BYTES } from '../kernels/cipher-memory.ts';
import type { SectorCipher } from '../sector-cipher.ts';

export interface Job {
  /** Numbers that both threads know ciphers and buffers by. */
  cipher: number;
  source: number;
  target: number;
  encrypting: boolean;
  sourceOffset: number;
  targetOffset: number;
  lengthBytes: number;
  sector: number;
}

export function createJob(cipher = 0): Job {
  return {
    cipher,
    source: 0,
    target: 0,
    encrypting: false,
    sourceOffset: 0,
    targetOffset: 0,
    lengthBytes: 0,
    sector: 0,
  };
}

export function pieceCount({ lengthBytes }: Job): number {
  return Math.ceil(lengthBytes / RUN_BYTES);
}

export function doPiece(
  job: Job,
  piece: number,
  cipher: SectorCipher,
  source: Uint8Array,
  target: Uint8Array,
): void {
  const skipBytes = piece * RUN_BYTES;
  const lengthBytes = Math.min(RUN_BYTES, job.lengthBytes - skipBytes);
  const from = job.sourceOffset + skipBytes;
  const to = job.targetOffset + skipBytes;
  const sector = job.sector + skipBytes / SECTOR_BYTES;
  if (job.encrypting) cipher.encrypt(source, from, target, to, lengthBytes, sector);
  else cipher.decrypt(source, from, target, to, lengthBytes, sector);
}
