/**
 * CBC (SP 800-38A). Decryption is ECB of everything, then XOR with the ciphertext before. Encryption needs the block before, so that it goes block by
 * block, of all sectors at once: column 0 of the run, column 1 ... Few sectors go one after the other.
 */

import type { SectorRun } from '../iv/iv-generator.ts';
import type { ModeType } from './chain-mode.ts';

/** In fewer blocks at once, calls cost more than AES wins by not waiting for the block before. Calls into Node cost ten times as much. */
const MIN_COLUMN_BLOCKS = 8;

export const cbc: ModeType = {
  keysPerCipher: 1,
  hasIv: true,
  create(cipherType, key, engine) {
    const { kernels, memory } = engine;
    const { blockBytes } = cipherType;
    const cipher = cipherType.create(key, engine);
    const chained = cipherType.createChained?.(key, engine) ?? null;
    const { words } = memory;
    const blockWords = blockBytes / 4;
    /** The end of the chain so far. */
    const last = new Int32Array(blockWords);

    /** The chain goes through all sectors: what is wrong with the block before a sector, and its IV, go into its first block. */
    function encryptChained({ dataAt, ivsAt, sectorBytes, sectorCount }: SectorRun): void {
      for (let sector = 0; sector < sectorCount; sector += 1) {
        const sectorAt = dataAt + sector * sectorBytes;
        const ivAt = ivsAt + sector * blockBytes;
        for (let word = 0; word < blockWords; word += 1) {
          words[(sectorAt >> 2) + word]! ^= words[(ivAt >> 2) + word]! ^ last[word]!;
        }
        chained!.encrypt(sectorAt, sectorBytes);
        const end = (sectorAt + sectorBytes) >> 2;
        for (let word = 0; word < blockWords; word += 1) {
          last[word] = words[end - blockWords + word]!;
        }
      }
    }

    return {
      encrypt(run) {
        const { dataAt, ivsAt, sectorBytes, sectorCount } = run;
        const blocks = sectorBytes / blockBytes;
        const columnsPay = sectorCount >= (engine.calls === null ? blocks : MIN_COLUMN_BLOCKS);
        if (chained !== null && !columnsPay) {
          encryptChained(run);
          return;
        }
        for (let index = 0; index < blocks; index += 1) {
          kernels.stepColumn(dataAt, ivsAt, index, blockBytes, blocks, sectorCount);
          cipher.encrypt(ivsAt, sectorCount * blockBytes);
        }
        kernels.stepColumn(dataAt, ivsAt, blocks, blockBytes, blocks, sectorCount);
      },
      decrypt({ dataAt, ivsAt, sectorBytes, sectorCount }) {
        const { bytes } = memory.scratch;
        const lengthBytes = sectorCount * sectorBytes;
        bytes.copyWithin(memory.spareAt, dataAt, dataAt + lengthBytes);
        cipher.decrypt(dataAt, lengthBytes);
        const blocks = sectorBytes / blockBytes;
        kernels.xorPrevious(dataAt, memory.spareAt, ivsAt, blockBytes, blocks, sectorCount);
      },
      close() {
        cipher.close();
        chained?.close();
      },
    };
  },
};
