/** Sector ciphers: runs of sectors through the scratch, each with IVs and a chain mode. See sector-cipher.ts for the contract. */

import { assert } from '../base/assert.ts';
import type { CipherEngine } from './cipher-engine.ts';
import type { IvGenerator, SectorRun } from './iv/iv-generator.ts';
import { RUN_BYTES } from './kernels/cipher-memory.ts';
import type { Mode } from './mode/chain-mode.ts';
import { RunCopier } from './run-copier.ts';
import type { SectorCipher, SectorCipherOptions } from './sector-cipher.ts';

const TWO_POW_32 = 0x1_0000_0000;

/** What one key does. */
export interface CipherPart {
  readonly mode: Mode;
  /** Null for a mode without IVs. */
  readonly iv: IvGenerator | null;
}

/** Overwrites its keys. */
export function closePart({ mode, iv }: CipherPart): void {
  mode.close();
  iv?.close();
}

export class BulkSectorCipher implements SectorCipher {
  readonly sectorBytes: number;
  readonly #engine: CipherEngine;
  readonly #copier: RunCopier;
  readonly #parts: readonly CipherPart[];
  readonly #ivOffsetLow: number;
  readonly #ivOffsetHigh: number;
  readonly #ivLargeSectors: boolean;
  readonly #sectorShift: number;
  readonly #run: SectorRun;
  #closed = false;

  /** `parts`: one for each key. */
  constructor(
    options: SectorCipherOptions,
    engine: CipherEngine,
    ivBytes: number,
    parts: readonly CipherPart[],
  ) {
    const { sectorBytes, ivLargeSectors } = options;
    const ivOffset = BigInt.asUintN(64, options.ivOffset);
    this.sectorBytes = sectorBytes;
    this.#engine = engine;
    this.#copier = new RunCopier(engine);
    this.#parts = parts;
    this.#ivOffsetLow = Number(ivOffset & 0xffff_ffffn);
    this.#ivOffsetHigh = Number(ivOffset >> 32n);
    this.#ivLargeSectors = ivLargeSectors;
    this.#sectorShift = Math.log2(sectorBytes / 512);
    this.#run = {
      encrypting: false,
      dataAt: engine.memory.dataAt,
      sectorBytes,
      sectorCount: 0,
      ivsAt: engine.memory.ivsAt,
      ivBytes,
      numberLow: 0,
      numberHigh: 0,
      numberStep: ivLargeSectors ? 1 : sectorBytes / 512,
    };
  }

  encrypt(
    source: Uint8Array,
    sourceOffset: number,
    target: Uint8Array,
    targetOffset: number,
    lengthBytes: number,
    sector: number,
  ): void {
    this.#check(source, sourceOffset, target, targetOffset, lengthBytes, sector);
    this.#run.encrypting = true;
    this.#transform(source, sourceOffset, target, targetOffset, lengthBytes, sector);
  }

  decrypt(
    source: Uint8Array,
    sourceOffset: number,
    target: Uint8Array,
    targetOffset: number,
    lengthBytes: number,
    sector: number,
  ): void {
    this.#check(source, sourceOffset, target, targetOffset, lengthBytes, sector);
    this.#run.encrypting = false;
    this.#transform(source, sourceOffset, target, targetOffset, lengthBytes, sector);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const part of this.#parts) closePart(part);
    this.#engine.memory.wipeScratch();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #check(
    source: Uint8Array,
    sourceOffset: number,
    target: Uint8Array,
    targetOffset: number,
    lengthBytes: number,
    sector: number,
  ): void {
    assert(!this.#closed, 'a sector cipher is not used after it was closed');
    assert(lengthBytes % this.sectorBytes === 0, 'whole sectors are encrypted');
    assert(
      Number.isSafeInteger(sector) && sector >= 0 && sector % (this.sectorBytes / 512) === 0,
      'a sector number is whole and on the boundary of a sector',
    );
    assert(
      sourceOffset >= 0 && sourceOffset + lengthBytes <= source.byteLength,
      'what is encrypted lies in its buffer',
    );
    assert(
      targetOffset >= 0 && targetOffset + lengthBytes <= target.byteLength,
      'what was encrypted fits into its buffer',
    );
  }

  /** A run has one key: all there is, or one sector of a multi-key cipher. */
  #transform(
    source: Uint8Array,
    sourceOffset: number,
    target: Uint8Array,
    targetOffset: number,
    lengthBytes: number,
    sector: number,
  ): void {
    const maxBytes = this.#parts.length === 1 ? RUN_BYTES : this.sectorBytes;
    for (let doneBytes = 0; doneBytes < lengthBytes; ) {
      const runBytes = Math.min(maxBytes, lengthBytes - doneBytes);
      this.#copier.load(source, sourceOffset + doneBytes, runBytes);
      this.#transformRun(runBytes, sector + doneBytes / 512);
      this.#copier.store(target, targetOffset + doneBytes, runBytes);
      doneBytes += runBytes;
    }
  }

  #transformRun(runBytes: number, sector: number): void {
    const run = this.#run;
    run.sectorCount = runBytes / this.sectorBytes;
    const part = this.#parts[this.#number(sector) & (this.#parts.length - 1)]!;
    part.iv?.prepare(run);
    if (run.encrypting) part.mode.encrypt(run);
    else part.mode.decrypt(run);
    part.iv?.finish?.(run);
  }

  /** Sets the IV's number of the run; answers the lower half of the sector number before large sectors are counted, which selects the key. */
  #number(sector: number): number {
    const run = this.#run;
    const low = (sector % TWO_POW_32) + this.#ivOffsetLow;
    const carry = low >= TWO_POW_32 ? 1 : 0;
    const high = (Math.floor(sector / TWO_POW_32) + this.#ivOffsetHigh + carry) >>> 0;
    const number = low >>> 0;
    const shift = this.#ivLargeSectors ? this.#sectorShift : 0;
    run.numberLow = shift === 0 ? number : ((number >>> shift) | (high << (32 - shift))) >>> 0;
    run.numberHigh = high >>> shift;
    return number;
  }
}
