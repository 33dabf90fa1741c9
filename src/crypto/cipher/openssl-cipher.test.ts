/** Ways to OpenSSL's ciphers: which one is taken, what happens without, and that nothing of a key stays behind. */

import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CipherCalls } from '../../system/cipher-calls.ts';
import { type CipherEngine, cipherEngine } from '../cipher-engine.ts';
import { parseCipherSpec } from '../cipher-spec.ts';
import { createSectorCipher } from '../create-sector-cipher.ts';
import { findCipherType } from './index.ts';
import { opensslCipher } from './openssl-cipher.ts';

const names = ['aes', 'camellia', 'aria', 'sm4', 'des3_ede'];
const engines = (['evp', 'node', 'js'] as const).map((path) => cipherEngine(path));

function flip(engine: CipherEngine, at: number): void {
  const { bytes } = engine.memory.scratch;
  bytes[at] = bytes[at]! ^ 1;
}

/** EVP whose work is done by `update`. */
function engineWith(update: CipherCalls['update']): CipherEngine {
  const engine = engines[0]!;
  return { ...engine, calls: engine.calls && { ...engine.calls, update } };
}

const fips197 = {
  key: '000102030405060708090a0b0c0d0e0f',
  plaintext: '00112233445566778899aabbccddeeff',
  ciphertext: '69c4e0d86a7b0430d8cdb78070b4c55a',
};

const aes128 = {
  name: 'aes',
  blockBytes: 16,
  keyLengthsBytes: [16],
  opensslName: () => 'AES-128-ECB',
  knownAnswers: [fips197],
} as const;

/** One block of FIPS 197 through the engine, at the beginning of its data. */
function encryptOne(engine: CipherEngine): string {
  const cipher = opensslCipher(aes128).create(Buffer.from(fips197.key, 'hex'), engine);
  const { bytes } = engine.memory.scratch;
  const { dataAt } = engine.memory;
  bytes.set(Buffer.from(fips197.plaintext, 'hex'), dataAt);
  cipher.encrypt(dataAt, 16);
  cipher.close();
  return Buffer.from(bytes.subarray(dataAt, dataAt + 16)).toString('hex');
}

describe('ciphers of OpenSSL', () => {
  it.each(names)(
    '%s decrypts what it encrypted, every length of key, the same on every path',
    (name) => {
      const type = findCipherType(name)!;
      for (const keyBytes of type.keyLengthsBytes) {
        const results = engines.map((engine) => {
          const { bytes } = engine.memory.scratch;
          const at = engine.memory.dataAt;
          const cipher = type.create(new Uint8Array(keyBytes).fill(5), engine);
          for (let index = 0; index < 4096; index += 1) bytes[at + index] = index * 7;
          const before = bytes.slice(at, at + 4096);
          cipher.encrypt(at, 4096);
          const ciphertext = Buffer.from(bytes.slice(at, at + 4096));
          cipher.decrypt(at, 4096);
          expect(Buffer.compare(bytes.slice(at, at + 4096), before)).toBe(0);
          cipher.close();
          cipher.close();
          expect(() => cipher.encrypt(at, 16)).toThrow('not used after it was closed');
          return ciphertext.toString('hex');
        });
        expect(new Set(results).size).toBe(1);
      }
    },
  );

  it('passes over a way that gives wrong answers', () => {
    const { calls } = engines[0]!;
    let called = 0;
    const wrong = engineWith((context, offsetBytes, lengthBytes) => {
      called += 1;
      const done = calls!.update(context, offsetBytes, lengthBytes);
      // Only the last block of a long piece.
      if (lengthBytes > 1024) flip(wrong, offsetBytes + lengthBytes - 1);
      return done;
    });
    expect(encryptOne(wrong)).toBe(fips197.ciphertext);
    if (calls === null) return;
    expect(called).toBeGreaterThan(2);
    const before = called;
    encryptOne(engineWith(calls.update));
    expect(called).toBe(before);
  });

  it('says which OpenSSL lacks a cipher, and which has it', () => {
    const missing = opensslCipher({ ...aes128, name: 'idea2', opensslName: () => 'IDEA2-ECB' });
    for (const engine of engines) {
      expect(() => missing.create(new Uint8Array(16), engine)).toThrow(
        /Cannot use the cipher idea2: Error allocating crypto tfm, the OpenSSL .* does not have IDEA2-ECB; the builds of nodejs.org have it/,
      );
    }
  });

  it('stays inside the memory it was given', () => {
    const engine = engines[0]!;
    const cipher = findCipherType('aes')!.create(new Uint8Array(32), engine);
    const { lengthBytes } = engine.memory.scratch;
    if (engine.calls !== null) {
      expect(() => cipher.encrypt(lengthBytes, 16)).toThrow('inside its buffer');
      expect(() => cipher.encrypt(-16, 16)).toThrow('whole number');
    }
    cipher.close();
  });

  it.each(['evp', 'node'] as const)('leaves nothing of the key in memory, path %s', (path) => {
    if (process.platform !== 'linux') return;
    // Made here and kept masked, so that the search finds neither itself nor what the test holds.
    const masked = Uint32Array.from({ length: 16 }, (_, index) =>
      Math.imul(index + 0x1234567, 0x9e3779b1),
    );
    const mask = 0x5a17c3e9;
    const key = new Uint8Array(64);
    const words = new Uint32Array(key.buffer);
    masked.forEach((word, index) => {
      words[index] = (word ^ mask) >>> 0;
    });
    const cipher = createSectorCipher(
      {
        spec: parseCipherSpec('aes-xts-plain64'),
        key,
        sectorBytes: 512,
        ivLargeSectors: false,
        ivOffset: 0n,
      },
      path,
    );
    key.fill(0);
    const data = new Uint8Array(8192);
    cipher.encrypt(data, 0, data, 0, 8192, 0);
    expect(countInMemory(masked, mask)).toBeGreaterThan(0);
    cipher.close();
    expect(countInMemory(masked, mask)).toBe(0);
    const { scratch } = cipherEngine(path).memory;
    expect(scratch.bytes.every((byte) => byte === 0)).toBe(true);
  });
});

/** How often the beginnings of the two halves stand anywhere in this process's writable memory. */
function countInMemory(masked: Uint32Array, mask: number): number {
  const piece = new Uint32Array(1 << 18);
  const memory = openSync('/proc/self/mem', 'r');
  let count = 0;
  for (const [start, end] of writableRanges()) {
    for (let at = start; at < end; at += piece.byteLength) {
      const lengthBytes = Math.min(piece.byteLength, end - at);
      count += countInPiece(piece, readAt(memory, piece, lengthBytes, at) >> 2, masked, mask);
    }
  }
  piece.fill(0);
  closeSync(memory);
  return count;
}

/** Memory that cannot be read (guard pages) counts as empty. */
function readAt(memory: number, piece: Uint32Array, lengthBytes: number, at: number): number {
  try {
    return readSync(memory, piece, 0, lengthBytes, at);
  } catch {
    return 0;
  }
}

function countInPiece(
  piece: Uint32Array,
  words: number,
  masked: Uint32Array,
  mask: number,
): number {
  const [first, second] = [(masked[0]! ^ mask) >>> 0, (masked[8]! ^ mask) >>> 0];
  let count = 0;
  for (let index = 0; index + 3 < words; index += 1) {
    const word = piece[index];
    if (word !== first && word !== second) continue;
    const half = word === first ? 0 : 8;
    const follows = [1, 2, 3].every(
      (offset) => (piece[index + offset]! ^ mask) >>> 0 === masked[half + offset],
    );
    if (follows) count += 1;
  }
  return count;
}

function writableRanges(): [start: number, end: number][] {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    return start === undefined || end === undefined
      ? []
      : [[Number(`0x${start}`), Number(`0x${end}`)]];
  });
}
