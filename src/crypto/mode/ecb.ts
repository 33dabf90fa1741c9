/** ECB: every block by itself. */

import type { ModeType } from './chain-mode.ts';

export const ecb: ModeType = {
  keysPerCipher: 1,
  hasIv: false,
  create(cipherType, key, engine) {
    const cipher = cipherType.create(key, engine);
    return {
      encrypt: (run) => cipher.encrypt(run.dataAt, run.sectorCount * run.sectorBytes),
      decrypt: (run) => cipher.decrypt(run.dataAt, run.sectorCount * run.sectorBytes),
      close: () => cipher.close(),
    };
  },
};
