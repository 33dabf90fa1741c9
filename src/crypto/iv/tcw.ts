/**
 * tcw, TrueCrypt's before version 4.1: the IV is a seed XOR the sector's number, and 8 bytes, made of a second seed and the number with CRC-32, are XORed
 * over the whole ciphertext. Both seeds are at the end of the key. Only for old containers: it can be watermarked.
 * Source: the kernel's admin guide; details as Linux 6.12 computes them.
 */

import { DmError } from '../../base/errors.ts';
import type { CipherMemory } from '../kernels/cipher-memory.ts';
import {
  demandSectorsOf512,
  type IvContext,
  type IvGenerator,
  type IvType,
  type SectorRun,
} from './iv-generator.ts';
import { forEachSector } from './numbers.ts';

const SECTOR_BYTES = 512;
const SECTOR_WORDS = SECTOR_BYTES >> 2;
const WHITENING_BYTES = 16;

export const tcw: IvType = {
  name: 'tcw',
  extraKeyBytes(keyLengthBytes, _keyCount, ivBytes) {
    const seedBytes = ivBytes + WHITENING_BYTES;
    if (keyLengthBytes > seedBytes) return seedBytes;
    throw new DmError(
      'EINVAL',
      `Cannot use tcw: Error decoding and setting key, Wrong key size for TCW, expected more than the seeds' ${seedBytes} bytes, got ${keyLengthBytes}`,
    );
  },
  create(context) {
    demandSectorsOf512('TCW', context);
    return new TcwIv(context);
  },
};

class TcwIv implements IvGenerator {
  readonly #memory: CipherMemory;
  readonly #ivSeed: Int32Array;
  readonly #whiteningSeed: Int32Array;

  constructor({ engine, extraKey, ivBytes }: IvContext) {
    this.#memory = engine.memory;
    this.#ivSeed = wordsOf(extraKey.subarray(0, ivBytes));
    this.#whiteningSeed = wordsOf(extraKey.subarray(ivBytes));
  }

  prepare(run: SectorRun): void {
    if (!run.encrypting) this.#whiten(run);
    const { words } = this.#memory;
    const seed = this.#ivSeed;
    const ivsAt = run.ivsAt >> 2;
    forEachSector(run, (sector, low, high) => {
      const iv = ivsAt + sector * seed.length;
      for (let word = 0; word < seed.length; word += 2) {
        words[iv + word] = seed[word]! ^ low;
        words[iv + word + 1] = seed[word + 1]! ^ high;
      }
    });
  }

  finish(run: SectorRun): void {
    if (run.encrypting) this.#whiten(run);
  }

  close(): void {
    this.#ivSeed.fill(0);
    this.#whiteningSeed.fill(0);
  }

  #whiten(run: SectorRun): void {
    const { words } = this.#memory;
    const [a = 0, b = 0, c = 0, d = 0] = this.#whiteningSeed;
    const dataAt = run.dataAt >> 2;
    forEachSector(run, (sector, low, high) => {
      const even = crcOfWord(a ^ low) ^ crcOfWord(d ^ high);
      const odd = crcOfWord(b ^ high) ^ crcOfWord(c ^ low);
      const start = dataAt + sector * SECTOR_WORDS;
      for (let word = start; word < start + SECTOR_WORDS; word += 2) {
        words[word]! ^= even;
        words[word + 1]! ^= odd;
      }
    });
  }
}

function wordsOf(bytes: Uint8Array): Int32Array {
  const words = new Int32Array(bytes.byteLength >> 2);
  new Uint8Array(words.buffer).set(bytes);
  return words;
}

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  return value;
});

/** CRC-32 of four bytes, without the usual inversions. */
function crcOfWord(word: number): number {
  let value = word;
  for (let byte = 0; byte < 4; byte++) value = (value >>> 8) ^ CRC_TABLE[value & 255]!;
  return value;
}
