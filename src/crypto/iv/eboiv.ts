/**
 * eboiv, BitLocker's: the sector's offset in bytes, little endian, encrypted with the data's key. The kernel multiplies the IV's number with the
 * sector size, whether it counts large sectors or not.
 */

import { DmError } from '../../base/errors.ts';
import type { IvType } from './iv-generator.ts';
import { fromNumbers } from './numbers.ts';

export const eboiv: IvType = {
  name: 'eboiv',
  create({ engine, cipher, cipherKey, mode, ivBytes, sectorBytes }) {
    if (mode === 'ctr') {
      throw new DmError(
        'EINVAL',
        'Cannot use eboiv with ctr: Block size of EBOIV cipher does not match IV size of block cipher, 1 and 16 bytes',
      );
    }
    const blocks = cipher.create(cipherKey, engine);
    const numbers = fromNumbers(engine, ({ memory }, at, low, high) => {
      const product = low * sectorBytes;
      memory.words[at >> 2] = product;
      memory.words[(at >> 2) + 1] = high * sectorBytes + Math.floor(product / 0x1_0000_0000);
    });
    return {
      prepare(run) {
        numbers.prepare(run);
        blocks.encrypt(run.ivsAt, run.sectorCount * ivBytes);
      },
      close: () => blocks.close(),
    };
  },
};
