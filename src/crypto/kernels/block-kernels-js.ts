/** The kernels in plain JS: without WASM, and what the tests compare the others with. See block-kernels.ts. */

import type { BlockKernels } from './block-kernels.ts';
import type { CipherMemory } from './cipher-memory.ts';

export function createJsKernels(memory: CipherMemory): BlockKernels {
  const { words } = memory;
  const { bytes } = memory.scratch;

  function xorBlock(targetAt: number, sourceAt: number, blockBytes: number): void {
    const target = targetAt >> 2;
    const source = sourceAt >> 2;
    for (let word = 0; word < blockBytes >> 2; word += 1) {
      words[target + word]! ^= words[source + word]!;
    }
  }

  /** As a carry runs, from the last byte to the first. */
  function increment(at: number, blockBytes: number): void {
    for (let index = at + blockBytes - 1; index >= at; index -= 1) {
      const value = (bytes[index]! + 1) & 0xff;
      bytes[index] = value;
      if (value !== 0) return;
    }
  }

  return {
    xorTweaks(dataAt, tweaksAt, blocksPerSector, sectorCount) {
      let at = dataAt >> 2;
      for (let sector = 0; sector < sectorCount; sector += 1) {
        const tweak = (tweaksAt >> 2) + sector * 4;
        let [a, b, c, d] = [words[tweak]!, words[tweak + 1]!, words[tweak + 2]!, words[tweak + 3]!];
        for (let block = 0; block < blocksPerSector; block += 1) {
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
    },
    xor: xorBlock,
    xorPrevious(dataAt, ciphertextAt, ivsAt, blockBytes, blocksPerSector, sectorCount) {
      let at = 0;
      for (let sector = 0; sector < sectorCount; sector += 1) {
        xorBlock(dataAt + at, ivsAt + sector * blockBytes, blockBytes);
        for (let block = 1; block < blocksPerSector; block += 1) {
          xorBlock(dataAt + at + block * blockBytes, ciphertextAt + at + (block - 1) * blockBytes, blockBytes);
        }
        at += blocksPerSector * blockBytes;
      }
    },
    stepColumn(dataAt, columnAt, index, blockBytes, blocksPerSector, sectorCount) {
      for (let sector = 0; sector < sectorCount; sector += 1) {
        const column = columnAt + sector * blockBytes;
        const block = dataAt + (sector * blocksPerSector + index) * blockBytes;
        if (index > 0) bytes.copyWithin(block - blockBytes, column, column + blockBytes);
        if (index < blocksPerSector) xorBlock(column, block, blockBytes);
      }
    },
    fillCounters(targetAt, ivsAt, blockBytes, blocksPerSector, sectorCount) {
      let at = targetAt;
      for (let sector = 0; sector < sectorCount; sector += 1) {
        const iv = ivsAt + sector * blockBytes;
        for (let block = 0; block < blocksPerSector; block += 1) {
          bytes.copyWithin(at, iv, iv + blockBytes);
          increment(iv, blockBytes);
          at += blockBytes;
        }
      }
    },
  };
}
