/**
 * What lies around bulk ECB: the work of the modes on whole runs of sectors. Addresses are in the engine's scratch and 16-byte aligned; a sector's
 * IV, tweak or column entry is one block. In WASM SIMD, or in plain JS where there is no WASM.
 */

import { JsKernels } from './block-kernels-js.ts';
import type { CipherMemory } from './cipher-memory.ts';
import { loadKernel } from './load-kernel.ts';
import { modesWasm } from './modes-wasm.ts';

export interface BlockKernels {
  /** xts: from the first tweak of each sector those of its pieces of 32 blocks, in place: long chains become short ones. */
  spreadTweaks(tweaksAt: number, pieceCount: number, sectorCount: number): void;
  /** xts: XORs its tweak into every 16-byte block; `tweaksAt` has the first of each piece, which stays. */
  xorTweaks(dataAt: number, tweaksAt: number, blocksPerPiece: number, pieceCount: number): void;
  /** target ^= source; `lengthBytes` is a multiple of 16. */
  xor(targetAt: number, sourceAt: number, lengthBytes: number): void;
  /** cbc decryption: XORs into every block the ciphertext block before it, or the sector's IV. `blockBytes` is 8 or 16. */
  xorPrevious(
    dataAt: number,
    ciphertextAt: number,
    ivsAt: number,
    blockBytes: number,
    blocksPerSector: number,
    sectorCount: number,
  ): void;
  /**
   * cbc encryption, block by block of all sectors: stores the column, just encrypted, as block `index - 1` of each sector, and XORs block `index`
   * into it. The first call has `index` 0 and the IVs as column, the last one `index === blocksPerSector`.
   */
  stepColumn(
    dataAt: number,
    columnAt: number,
    index: number,
    blockBytes: number,
    blocksPerSector: number,
    sectorCount: number,
  ): void;
  /** ctr: for each sector its IV and the numbers after it, big endian. */
  fillCounters(
    targetAt: number,
    ivsAt: number,
    blockBytes: number,
    blocksPerSector: number,
    sectorCount: number,
  ): void;
}

export function createBlockKernels(memory: CipherMemory, withWasm: boolean): BlockKernels {
  if (withWasm && memory.wasm !== null) return loadKernel<BlockKernels>(modesWasm, memory);
  return new JsKernels(memory);
}
