/** CTR (SP 800-38A): the counters of all sectors encrypted in one call and XORed in. The counter is the whole IV, big endian. */

import type { SectorRun } from '../iv/iv-generator.ts';
import type { ModeType } from './chain-mode.ts';

export const ctr: ModeType = {
  keysPerCipher: 1,
  hasIv: true,
  create(cipherType, key, engine) {
    const { kernels, memory } = engine;
    const { blockBytes } = cipherType;
    const cipher = cipherType.create(key, engine);

    function apply({ dataAt, ivsAt, sectorBytes, sectorCount }: SectorRun): void {
      const { spareAt } = memory;
      kernels.fillCounters(spareAt, ivsAt, blockBytes, sectorBytes / blockBytes, sectorCount);
      cipher.encrypt(spareAt, sectorCount * sectorBytes);
      kernels.xor(dataAt, spareAt, sectorCount * sectorBytes);
    }

    return { encrypt: apply, decrypt: apply, close: () => cipher.close() };
  },
};
