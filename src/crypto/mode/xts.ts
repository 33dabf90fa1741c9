/** XTS (IEEE 1619): the tweaks of all sectors encrypted in one call, their chains XORed in by a kernel, ECB of everything, XORed in again. */

import type { SectorRun } from '../iv/iv-generator.ts';
import type { ModeType } from './chain-mode.ts';

const BLOCK_BYTES = 16;
/** Of the data that one chain of tweaks is for. */
const PIECE_BYTES = 512;

export const xts: ModeType = {
  keysPerCipher: 2,
  hasIv: true,
  create(cipherType, key, engine) {
    const { kernels } = engine;
    const half = key.byteLength / 2;
    const data = cipherType.create(key.subarray(0, half), engine);
    const tweaks = cipherType.create(key.subarray(half), engine);

    function encryptTweaks({ ivsAt, sectorBytes, sectorCount }: SectorRun): void {
      tweaks.encrypt(ivsAt, sectorCount * BLOCK_BYTES);
      if (sectorBytes > PIECE_BYTES) {
        kernels.spreadTweaks(ivsAt, sectorBytes / PIECE_BYTES, sectorCount);
      }
    }

    function xorTweaks({ dataAt, ivsAt, sectorBytes, sectorCount }: SectorRun): void {
      const pieceBytes = Math.min(sectorBytes, PIECE_BYTES);
      const pieceCount = (sectorCount * sectorBytes) / pieceBytes;
      kernels.xorTweaks(dataAt, ivsAt, pieceBytes / BLOCK_BYTES, pieceCount);
    }

    return {
      encrypt(run) {
        encryptTweaks(run);
        xorTweaks(run);
        data.encrypt(run.dataAt, run.sectorCount * run.sectorBytes);
        xorTweaks(run);
      },
      decrypt(run) {
        encryptTweaks(run);
        xorTweaks(run);
        data.decrypt(run.dataAt, run.sectorCount * run.sectorBytes);
        xorTweaks(run);
      },
      close() {
        data.close();
        tweaks.close();
      },
    };
  },
};
