/** ecb, cbc and ctr with AES against the vectors of NIST SP 800-38A (F.1, F.2, F.5), on every path. */

import { describe, expect, it } from 'vitest';
import { aes } from '../cipher/openssl-ciphers.ts';
import { type CipherEngine, cipherEngine } from '../cipher-engine.ts';
import type { SectorRun } from '../iv/iv-generator.ts';
import { modeTypes } from './index.ts';

const plaintext =
  '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710';
const keys = [
  '2b7e151628aed2a6abf7158809cf4f3c',
  '8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b',
  '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4',
];
const zeroIv = '00000000000000000000000000000000';

/** The ciphertexts are in the order of `keys`. */
const vectors = [
  {
    mode: 'ecb',
    iv: zeroIv,
    ciphertexts: [
      '3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4',
      'bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eefef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e',
      'f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7',
    ],
  },
  {
    mode: 'cbc',
    iv: '000102030405060708090a0b0c0d0e0f',
    ciphertexts: [
      '7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b273bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7',
      '4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd',
      'f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b',
    ],
  },
  {
    mode: 'ctr',
    iv: 'f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff',
    ciphertexts: [
      '874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee',
      '1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e941e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050',
      '601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c52b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6',
    ],
  },
] as const;

/** The vector as `sectorCount` sectors of four blocks, each with the same IV. */
function runOf(engine: CipherEngine, data: Buffer, iv: Buffer, sectorCount: number): SectorRun {
  const { scratch, dataAt, ivsAt } = engine.memory;
  for (let sector = 0; sector < sectorCount; sector += 1) {
    scratch.bytes.set(data, dataAt + sector * data.length);
    scratch.bytes.set(iv, ivsAt + sector * iv.length);
  }
  const place = { dataAt, ivsAt, ivBytes: iv.length, sectorBytes: data.length, sectorCount };
  return { ...place, encrypting: true, numberLow: 0, numberHigh: 0, numberStep: 1 };
}

function dataOf(engine: CipherEngine, lengthBytes: number): string {
  const { scratch, dataAt } = engine.memory;
  return Buffer.from(scratch.bytes.subarray(dataAt, dataAt + lengthBytes)).toString('hex');
}

describe.each(['evp', 'node', 'js'] as const)('modes, path %s', (path) => {
  const engine = cipherEngine(path);

  it.each(vectors)('$mode gives the standard its answers', ({ mode, iv, ciphertexts }) => {
    const ivBytes = Buffer.from(iv, 'hex');
    for (const [index, ciphertext] of ciphertexts.entries()) {
      const created = modeTypes[mode].create(aes, Buffer.from(keys[index]!, 'hex'), engine);
      // One sector, and so many that cbc goes column by column.
      for (const sectorCount of [1, 5, 128]) {
        const plain = Buffer.from(plaintext, 'hex');
        created.encrypt(runOf(engine, plain, ivBytes, sectorCount));
        const wanted = ciphertext.repeat(sectorCount);
        expect(dataOf(engine, wanted.length / 2)).toBe(wanted);
        created.decrypt(runOf(engine, Buffer.from(ciphertext, 'hex'), ivBytes, sectorCount));
        expect(dataOf(engine, wanted.length / 2)).toBe(plaintext.repeat(sectorCount));
      }
      created.close();
    }
  });
});
