/**
 * eboiv, BitLocker's: a block of zeros encrypted as the data is, with the sector's offset in bytes, little endian, as its IV. For cbc that is the
 * offset encrypted with the data's key. The kernel multiplies the IV's number with the sector size, whether it counts large sectors or not.
 */

import { DmError } from '../../base/errors.ts';
import type { IvGenerator, IvType, SectorRun } from './iv-generator.ts';
import { fromNumbers } from './numbers.ts';

export const eboiv: IvType = {
  name: 'eboiv',
  create(context): IvGenerator {
    const { engine, mode, ivBytes, sectorBytes } = context;
    if (mode === 'ctr') {
      throw new DmError(
        'EINVAL',
        'Cannot use eboiv with ctr: Error creating IV, Block size of EBOIV cipher does not match IV size of block cipher, 1 and 16 bytes',
      );
    }
    const offsets = fromNumbers(engine, ({ memory }, at, low, high) => {
      const product = low * sectorBytes;
      memory.words[at >> 2] = product;
      memory.words[(at >> 2) + 1] = high * sectorBytes + Math.floor(product / 0x1_0000_0000);
    });
    const templates = context.wrapInTemplates(offsets);
    const blocks = context.createMode();
    const { words, ivsAt, spareAt } = engine.memory;
    const ofOneBlock: SectorRun = {
      ...EMPTY,
      dataAt: spareAt,
      sectorBytes: ivBytes,
      ivsAt,
      ivBytes,
    };

    return {
      prepare(run) {
        templates.prepare(run);
        const endAt = spareAt + run.sectorCount * ivBytes;
        words.fill(0, spareAt >> 2, endAt >> 2);
        ofOneBlock.sectorCount = run.sectorCount;
        blocks.encrypt(ofOneBlock);
        words.copyWithin(run.ivsAt >> 2, spareAt >> 2, endAt >> 2);
      },
      close() {
        templates.close();
        blocks.close();
      },
    };
  },
};

const EMPTY: SectorRun = {
  encrypting: true,
  dataAt: 0,
  sectorBytes: 0,
  sectorCount: 0,
  ivsAt: 0,
  ivBytes: 0,
  numberLow: 0,
  numberHigh: 0,
  numberStep: 0,
};
