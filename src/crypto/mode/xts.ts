/** XTS (IEEE 1619): the tweaks of all sectors encrypted in one call, their chains XORed in by a kernel, ECB of everything, XORed in again. */

import type { SectorRun } from '../iv/iv-generator.ts';
import type { ModeType } from './chain-mode.ts';

const BLOCK_BYTES = 16;

export const xts: ModeType = {
  keysPerCipher: 2,
  hasIv: true,
  create(cipherType, key, engine) {
    const { kernels } = engine;
    const half = key.byteLength / 2;
    const data = cipherType.create(key.subarray(0, half), engine);
    const tweaks = cipherType.create(key.subarray(half), engine);

    function xorTweaks(run: SectorRun): void {
      kernels.xorTweaks(run.dataAt, run.ivsAt, run.sectorBytes / BLOCK_BYTES, run.sectorCount);
    }

    return {
      encrypt(run) {
        tweaks.encrypt(run.ivsAt, run.sectorCount * BLOCK_BYTES);
        xorTweaks(run);
        data.encrypt(run.dataAt, run.sectorCount * run.sectorBytes);
        xorTweaks(run);
      },
      decrypt(run) {
        tweaks.encrypt(run.ivsAt, run.sectorCount * BLOCK_BYTES);
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
