/**
 * elephant, BitLocker's before Windows 8: IVs as eboiv's, and before them each sector is XORed with a sector key and diffused, so that every bit of the
 * plaintext changes all of the ciphertext. The second half of the key is for the sector keys, always with aes.
 * Source: N. Ferguson, "AES-CBC + Elephant diffuser: A Disk Encryption Algorithm for Windows Vista", 2006.
 */

import { DmError } from '../../base/errors.ts';
import type { BlockCipher } from '../cipher/block-cipher.ts';
import { findCipherType } from '../cipher/index.ts';
import type { CipherMemory } from '../kernels/cipher-memory.ts';
import { eboiv } from './eboiv.ts';
import type { IvContext, IvGenerator, IvType, SectorRun } from './iv-generator.ts';
import { forEachSector } from './numbers.ts';

const MAX_KEY_BYTES = 32;
const SECTOR_KEY_WORDS = 8;
const ROTATIONS_A = [9, 0, 13, 0] as const;
const ROTATIONS_B = [0, 10, 0, 25] as const;
const CYCLES_A = 5;
const CYCLES_B = 3;

export const elephant: IvType = {
  name: 'elephant',
  extraKeyBytes(keyLengthBytes) {
    const sectorKeyBytes = Math.floor(keyLengthBytes / 2);
    if (sectorKeyBytes <= MAX_KEY_BYTES) return sectorKeyBytes;
    throw new DmError(
      'EINVAL',
      `Cannot use elephant: Error decoding and setting key, expected at most ${2 * MAX_KEY_BYTES} bytes, got ${keyLengthBytes}`,
    );
  },
  create: (context) => new ElephantIv(context),
};

class ElephantIv implements IvGenerator {
  readonly #memory: CipherMemory;
  readonly #ivs: IvGenerator;
  readonly #sectorKeys: BlockCipher;
  readonly #sectorBytes: number;

  constructor(context: IvContext) {
    const aes = findCipherType('aes');
    if (!aes?.keyLengthsBytes.includes(context.extraKey.byteLength)) {
      throw new DmError(
        'EINVAL',
        `Cannot use elephant: Error initialising IV, half of the key must be one of aes, got ${context.extraKey.byteLength} bytes`,
      );
    }
    this.#memory = context.engine.memory;
    this.#sectorBytes = context.sectorBytes;
    this.#ivs = eboiv.create(context);
    this.#sectorKeys = aes.create(context.extraKey, context.engine);
  }

  prepare(run: SectorRun): void {
    if (run.encrypting) this.#diffuse(run);
    this.#ivs.prepare(run);
  }

  finish(run: SectorRun): void {
    if (!run.encrypting) this.#diffuse(run);
  }

  close(): void {
    this.#ivs.close();
    this.#sectorKeys.close();
  }

  #diffuse(run: SectorRun): void {
    const { words, spareAt } = this.#memory;
    this.#fillSectorKeys(run);
    const sectorWords = this.#sectorBytes >> 2;
    for (let sector = 0; sector < run.sectorCount; sector++) {
      const data = words.subarray(
        (run.dataAt >> 2) + sector * sectorWords,
        (run.dataAt >> 2) + (sector + 1) * sectorWords,
      );
      const keyAt = (spareAt >> 2) + sector * SECTOR_KEY_WORDS;
      if (run.encrypting) {
        xorRepeated(data, words, keyAt);
        diffuseA(data);
        diffuseB(data);
      } else {
        undoB(data);
        undoA(data);
        xorRepeated(data, words, keyAt);
      }
    }
  }

  /** Two blocks for each sector, in the spare region: the encrypted offset, and that with a bit set in its last byte. */
  #fillSectorKeys(run: SectorRun): void {
    const { words, spareAt } = this.#memory;
    const start = spareAt >> 2;
    words.fill(0, start, start + run.sectorCount * SECTOR_KEY_WORDS);
    forEachSector(run, (sector, low, high) => {
      const at = start + sector * SECTOR_KEY_WORDS;
      const product = low * this.#sectorBytes;
      const productHigh = high * this.#sectorBytes + Math.floor(product / 0x1_0000_0000);
      words[at] = product;
      words[at + 1] = productHigh;
      words[at + 4] = product;
      words[at + 5] = productHigh;
      words[at + 7] = 0x8000_0000;
    });
    this.#sectorKeys.encrypt(spareAt, run.sectorCount * SECTOR_KEY_WORDS * 4);
  }
}

function xorRepeated(data: Int32Array, key: Int32Array, keyAt: number): void {
  for (let word = 0; word < data.length; word++) {
    data[word]! ^= key[keyAt + (word & (SECTOR_KEY_WORDS - 1))]!;
  }
}

const rotate = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits));

/** Indices wrap: the length is a power of two. */
function diffuseA(data: Int32Array): void {
  const mask = data.length - 1;
  for (let step = CYCLES_A * data.length - 1; step >= 0; step--) {
    const rotated = rotate(data[(step - 5) & mask]!, ROTATIONS_A[step & 3]!);
    data[step & mask]! -= data[(step - 2) & mask]! ^ rotated;
  }
}

function undoA(data: Int32Array): void {
  const mask = data.length - 1;
  for (let step = 0; step < CYCLES_A * data.length; step++) {
    const rotated = rotate(data[(step - 5) & mask]!, ROTATIONS_A[step & 3]!);
    data[step & mask]! += data[(step - 2) & mask]! ^ rotated;
  }
}

function diffuseB(data: Int32Array): void {
  const mask = data.length - 1;
  for (let step = CYCLES_B * data.length - 1; step >= 0; step--) {
    const rotated = rotate(data[(step + 5) & mask]!, ROTATIONS_B[step & 3]!);
    data[step & mask]! -= data[(step + 2) & mask]! ^ rotated;
  }
}

function undoB(data: Int32Array): void {
  const mask = data.length - 1;
  for (let step = 0; step < CYCLES_B * data.length; step++) {
    const rotated = rotate(data[(step + 5) & mask]!, ROTATIONS_B[step & 3]!);
    data[step & mask]! += data[(step + 2) & mask]! ^ rotated;
  }
}
