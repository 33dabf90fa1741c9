/** The kernels in plain JS: without WASM, and what the tests compare the others with. See block-kernels.ts. */

import type { BlockKernels } from './block-kernels.ts';
import type { CipherMemory } from './cipher-memory.ts';

export class JsKernels implements BlockKernels {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor({ words, scratch }: CipherMemory) {
    this.#words = words;
    this.#bytes = scratch.bytes;
  }

  spreadTweaks(tweaksAt: number, pieceCount: number, sectorCount: number): void {
    const words = this.#words;
    for (let sector = sectorCount - 1; sector >= 0; sector -= 1) {
      const tweak = (tweaksAt >> 2) + sector * 4;
      let [a, b, c, d] = [words[tweak]!, words[tweak + 1]!, words[tweak + 2]!, words[tweak + 3]!];
      let at = (tweaksAt >> 2) + sector * pieceCount * 4;
      for (let piece = 0; piece < pieceCount; piece += 1) {
        words[at] = a;
        words[at + 1] = b;
        words[at + 2] = c;
        words[at + 3] = d;
        at += 4;
        // Times x^32: one word further, and what falls out comes back times x^7 + x^2 + x + 1.
        const out = d;
        d = c;
        c = b;
        b = a ^ (out >>> 31) ^ (out >>> 30) ^ (out >>> 25);
        a = out ^ (out << 1) ^ (out << 2) ^ (out << 7);
      }
    }
  }

  xorTweaks(dataAt: number, tweaksAt: number, blocksPerPiece: number, pieceCount: number): void {
    const words = this.#words;
    let at = dataAt >> 2;
    for (let piece = 0; piece < pieceCount; piece += 1) {
      const tweak = (tweaksAt >> 2) + piece * 4;
      let [a, b, c, d] = [words[tweak]!, words[tweak + 1]!, words[tweak + 2]!, words[tweak + 3]!];
      for (let block = 0; block < blocksPerPiece; block += 1) {
        words[at]! ^= a;
        words[at + 1]! ^= b;
        words[at + 2]! ^= c;
        words[at + 3]! ^= d;
        at += 4;
        const carry = (d >> 31) & 0x87;
        d = (d << 1) | (c >>> 31);
        c = (c << 1) | (b >>> 31);
        b = (b << 1) | (a >>> 31);
        a = (a << 1) ^ carry;
      }
    }
  }

  xor(targetAt: number, sourceAt: number, lengthBytes: number): void {
    const words = this.#words;
    const target = targetAt >> 2;
    const source = sourceAt >> 2;
    for (let word = 0; word < lengthBytes >> 2; word += 1) {
      words[target + word]! ^= words[source + word]!;
    }
  }

  xorPrevious(
    dataAt: number,
    ciphertextAt: number,
    ivsAt: number,
    blockBytes: number,
    blocksPerSector: number,
    sectorCount: number,
  ): void {
    const sectorBytes = blockBytes * blocksPerSector;
    for (let sector = 0; sector < sectorCount; sector += 1) {
      const at = sector * sectorBytes;
      this.xor(dataAt + at, ivsAt + sector * blockBytes, blockBytes);
      this.xor(dataAt + at + blockBytes, ciphertextAt + at, sectorBytes - blockBytes);
    }
  }

  stepColumn(
    dataAt: number,
    columnAt: number,
    index: number,
    blockBytes: number,
    blocksPerSector: number,
    sectorCount: number,
  ): void {
    for (let sector = 0; sector < sectorCount; sector += 1) {
      const column = columnAt + sector * blockBytes;
      const block = dataAt + (sector * blocksPerSector + index) * blockBytes;
      if (index > 0) this.#bytes.copyWithin(block - blockBytes, column, column + blockBytes);
      if (index < blocksPerSector) this.xor(column, block, blockBytes);
    }
  }

  fillCounters(
    targetAt: number,
    ivsAt: number,
    blockBytes: number,
    blocksPerSector: number,
    sectorCount: number,
  ): void {
    let at = targetAt;
    for (let sector = 0; sector < sectorCount; sector += 1) {
      const iv = ivsAt + sector * blockBytes;
      for (let block = 0; block < blocksPerSector; block += 1) {
        this.#bytes.copyWithin(at, iv, iv + blockBytes);
        this.#increment(iv, blockBytes);
        at += blockBytes;
      }
    }
  }

  /** As a carry runs, from the last byte to the first. */
  #increment(at: number, blockBytes: number): void {
    for (let index = at + blockBytes - 1; index >= at; index -= 1) {
      const value = (this.#bytes[index]! + 1) & 0xff;
      this.#bytes[index] = value;
      if (value !== 0) return;
    }
  }
}
