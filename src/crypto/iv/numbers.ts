/** IVs that are the sector's number, or a function of it without any key. Source: dm-crypt's documentation, "IV generators" of the crypt target. */

import type { CipherEngine } from '../cipher-engine.ts';
import type { IvContext, IvGenerator, IvType, SectorRun } from './iv-generator.ts';

/** Writes one IV: `words` and `view` are of the scratch; the IV is zeroed already. */
type Write = (engine: CipherEngine, at: number, low: number, high: number) => void;

/** Calls with each sector's index in the run and the two halves of its IV's number. */
export function forEachSector(
  run: SectorRun,
  action: (sector: number, low: number, high: number) => void,
): void {
  const { sectorCount, numberStep } = run;
  let low = run.numberLow;
  let high = run.numberHigh;
  for (let sector = 0; sector < sectorCount; sector += 1) {
    action(sector, low, high);
    low += numberStep;
    if (low > 0xffff_ffff) {
      low -= 0x1_0000_0000;
      high = (high + 1) >>> 0;
    }
  }
}

/** A generator that writes each IV by itself from its 64-bit number. */
export function fromNumbers(engine: CipherEngine, write: Write): IvGenerator {
  const { words } = engine.memory;
  return {
    prepare(run: SectorRun) {
      const { ivsAt, ivBytes, sectorCount } = run;
      words.fill(0, ivsAt >> 2, (ivsAt + sectorCount * ivBytes) >> 2);
      forEachSector(run, (sector, low, high) => write(engine, ivsAt + sector * ivBytes, low, high));
    },
    close: () => undefined,
  };
}

const writePlain: Write = ({ memory }, at, low) => {
  memory.words[at >> 2] = low;
};

export const writePlain64: Write = ({ memory }, at, low, high) => {
  memory.words[at >> 2] = low;
  memory.words[(at >> 2) + 1] = high;
};

/** The lower 32 bits of the number, little endian: it starts anew after 2 TiB. */
export const plain: IvType = {
  name: 'plain',
  create: ({ engine }) => fromNumbers(engine, writePlain),
};

export const plain64: IvType = {
  name: 'plain64',
  create: ({ engine }) => fromNumbers(engine, writePlain64),
};

/** Big endian, in the last 8 bytes. */
export const plain64be: IvType = {
  name: 'plain64be',
  create: ({ engine, ivBytes }) =>
    fromNumbers(engine, ({ memory }, at, low, high) => {
      memory.scratch.view.setUint32(at + ivBytes - 8, high);
      memory.scratch.view.setUint32(at + ivBytes - 4, low);
    }),
};

/** Zeros, for data that came from elsewhere: equal sectors stay equal. */
export const nullIv: IvType = {
  name: 'null',
  create: ({ engine }) => fromNumbers(engine, () => undefined),
};

/** The number of the sector's first cipher block, from 1 on, big endian in the last 8 bytes. The kernel takes ctr for a cipher of 1-byte blocks. */
export const benbi: IvType = {
  name: 'benbi',
  create: ({ engine, ivBytes, mode }: IvContext) => {
    const blockBytes = mode === 'ctr' ? 1 : ivBytes;
    const factor = 512 / blockBytes;
    return fromNumbers(engine, ({ memory }, at, low, high) => {
      const product = low * factor + 1;
      const carry = Math.floor(product / 0x1_0000_0000);
      memory.scratch.view.setUint32(at + ivBytes - 8, high * factor + carry);
      memory.scratch.view.setUint32(at + ivBytes - 4, product);
    });
  },
};
