/**
 * lmk, loop-AES's: the IV is a digest of the sector's number and of the whole sector but its first block. When a sector is decrypted, the first block comes
 * out wrong, since its IV is known only afterwards, and is put right then. Three versions, told from each other by the keys: one, 64, and 64 with a
 * seed behind them, which the digest begins with. Source: the kernel's admin guide and README of loop-AES; details as Linux 6.12 computes them.
 */

import type { CipherMemory } from '../kernels/cipher-memory.ts';
import {
  demandSectorsOf512,
  type IvContext,
  type IvGenerator,
  type IvType,
  type SectorRun,
} from './iv-generator.ts';
import { Md5State } from './md5-state.ts';
import { forEachSector } from './numbers.ts';

const SECTOR_BYTES = 512;
/** Of the seed's key; a block of MD5 with zeros behind it. */
const SEED_BYTES = 16;
/** The digest has the bytes behind the first 16 ... */
const SKIPPED_WORDS = 4;
/** ... and then 56 bits of the number, padded as the 503 bytes that there are without a seed. */
const PADDING_BIT = 0x8000_0000;
const LENGTH_BITS = 503 * 8;

export const lmk: IvType = {
  name: 'lmk',
  /** A key more than `keyCount` is the seed's; bytes behind it count for nothing. */
  extraKeyBytes(keyLengthBytes, keyCount) {
    if (keyLengthBytes % keyCount === 0) return 0;
    return keyLengthBytes - keyCount * Math.floor(keyLengthBytes / (keyCount + 1));
  },
  create(context) {
    demandSectorsOf512('LMK', context);
    return new LmkIv(context);
  },
};

class LmkIv implements IvGenerator {
  readonly #memory: CipherMemory;
  readonly #ivWords: number;
  /** Where every digest begins. */
  readonly #start = new Md5State();
  readonly #state = new Md5State();
  /** The digest's last block. */
  readonly #last = new Int32Array(16);

  constructor({ engine, extraKey, ivBytes }: IvContext) {
    this.#memory = engine.memory;
    this.#ivWords = ivBytes >> 2;
    this.#start.reset();
    if (extraKey.byteLength > 0) this.#startWith(extraKey);
  }

  /** Encryption: from the plaintext. Decryption: zeros for now. */
  prepare(run: SectorRun): void {
    const { words } = this.#memory;
    const ivsAt = run.ivsAt >> 2;
    words.fill(0, ivsAt, ivsAt + run.sectorCount * this.#ivWords);
    if (run.encrypting) this.#mixDigests(run, ivsAt, this.#ivWords);
  }

  finish(run: SectorRun): void {
    if (!run.encrypting) this.#mixDigests(run, run.dataAt >> 2, SECTOR_BYTES >> 2);
  }

  close(): void {
    this.#start.wipe();
    this.#state.wipe();
    this.#last.fill(0);
  }

  #startWith(seedKey: Uint8Array): void {
    const block = new Int32Array(16);
    new Uint8Array(block.buffer).set(seedKey.subarray(0, SEED_BYTES));
    this.#start.update(block, 0);
    block.fill(0);
  }

  /** XORs the digest of each sector to what lies at `targetAt`, `stepWords` from each other. */
  #mixDigests(run: SectorRun, targetAt: number, stepWords: number): void {
    const { words } = this.#memory;
    const dataAt = run.dataAt >> 2;
    forEachSector(run, (sector, low, high) => {
      this.#digest(dataAt + sector * (SECTOR_BYTES >> 2), low, high);
      const target = targetAt + sector * stepWords;
      for (let word = 0; word < this.#ivWords; word++) {
        words[target + word]! ^= this.#state.words[word]!;
      }
    });
  }

  /** Of the sector at `dataAt`, in words. */
  #digest(dataAt: number, low: number, high: number): void {
    const { words } = this.#memory;
    const from = dataAt + SKIPPED_WORDS;
    this.#state.set(this.#start);
    this.#state.updateBlocks(words, from, 7);
    for (let word = 0; word < 12; word++) this.#last[word] = words[from + 7 * 16 + word]!;
    this.#last[12] = low;
    this.#last[13] = (high & 0x00ff_ffff) | PADDING_BIT;
    this.#last[14] = LENGTH_BITS;
    this.#last[15] = 0;
    this.#state.update(this.#last, 0);
  }
}
