/**
 * CBC (SP 800-38A). Decryption is ECB of everything, then XOR with the ciphertext before. Encryption needs the block before, so that it goes block by
 * block, of all sectors at once: column 0 of the run, column 1 ...
 */

import type { ModeType } from './chain-mode.ts';

export const cbc: ModeType = {
  keysPerCipher: 1,
  hasIv: true,
  create(cipherType, key, engine) {
    const { kernels, memory } = engine;
    const { blockBytes } = cipherType;
    const cipher = cipherType.create(key, engine);

    return {
      encrypt({ dataAt, ivsAt, sectorBytes, sectorCount }) {
        const blocks = sectorBytes / blockBytes;
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
      close: () => cipher.close(),
    };
  },
};
