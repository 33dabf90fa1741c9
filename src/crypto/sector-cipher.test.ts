/** Sector ciphers against the standards' vectors and against a naive implementation, sector by sector with Node's own modes. */

import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createPrng, type Prng } from '../base/prng.ts';
import type { CipherPath } from './cipher-engine.ts';
import { parseCipherSpec } from './cipher-spec.ts';
import { createSectorCipher } from './create-sector-cipher.ts';
import type { SectorCipher } from './sector-cipher.ts';

const paths: readonly CipherPath[] = ['evp', 'node', 'js'];

interface Setup {
  spec: string;
  key: Uint8Array;
  sectorBytes?: number;
  ivLargeSectors?: boolean;
  ivOffset?: bigint;
}

function create(setup: Setup, path: CipherPath): SectorCipher {
  const { spec, key, sectorBytes = 512, ivLargeSectors = false, ivOffset = 0n } = setup;
  const options = { spec: parseCipherSpec(spec), key, sectorBytes, ivLargeSectors, ivOffset };
  return createSectorCipher(options, path);
}

/** Modulo 2^64. */
const wrap = (number: bigint) => BigInt.asUintN(64, number);

/** The IV as dm-crypt's documentation describes it, one sector at a time. */
function naiveIv(spec: string, number: bigint, blockBytes: number, setup: Required<Setup>): Buffer {
  const iv = Buffer.alloc(blockBytes);
  const [, , mode = ''] = spec.split('-');
  switch (mode.split(':')[0]) {
    case 'plain':
      iv.writeUInt32LE(Number(number & 0xffff_ffffn));
      break;
    case 'plain64':
    case 'essiv':
      iv.writeBigUInt64LE(number);
      break;
    case 'plain64be':
      iv.writeBigUInt64BE(number, blockBytes - 8);
      break;
    case 'benbi': {
      const unit = spec.includes('-ctr-') ? 1 : blockBytes;
      iv.writeBigUInt64BE(wrap(number * BigInt(512 / unit) + 1n), blockBytes - 8);
      break;
    }
    case 'eboiv':
      iv.writeBigUInt64LE(wrap(number * BigInt(setup.sectorBytes)));
      break;
    default:
  }
  return iv;
}

const ecb = (name: string, key: Uint8Array, data: Uint8Array) => {
  const cipher = createCipheriv(name, key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
};

/** OpenSSL's names without the mode. */
const families: Record<string, string> = { des3_ede: 'des-ede3', sm4: 'sm4' };
const familyOf = (cipher: string, keyBytes: number) =>
  families[cipher] ?? `${cipher}-${keyBytes * 8}`;

/** The paths are asked the same questions. */
const answers = new Map<string, Buffer>();

function expectedOf(setup: Required<Setup>, data: Uint8Array, sector: number): Buffer {
  const { spec, key, sectorBytes, ivLargeSectors, ivOffset } = setup;
  const question = `${spec} ${key.byteLength} ${sectorBytes} ${ivLargeSectors} ${ivOffset} ${sector} ${data.byteLength}`;
  const known = answers.get(question) ?? naive(setup, data, sector, true);
  answers.set(question, known);
  return known;
}

function naive(
  setup: Required<Setup>,
  data: Uint8Array,
  sector: number,
  encrypting: boolean,
): Buffer {
  const { spec, key, sectorBytes, ivLargeSectors, ivOffset } = setup;
  const [cipherAndCount = '', mode = ''] = spec.split('-');
  const [cipher = '', countText = '1'] = cipherAndCount.split(':');
  const keyCount = Number(countText);
  const partBytes = key.byteLength / keyCount;
  const pieces: Buffer[] = [];
  for (let at = 0; at < data.byteLength; at += sectorBytes) {
    const plain = wrap(BigInt(sector + at / 512) + ivOffset);
    const index = Number(plain % BigInt(keyCount));
    const part = key.subarray(index * partBytes, (index + 1) * partBytes);
    const number = ivLargeSectors ? plain / BigInt(sectorBytes / 512) : plain;
    const blockBytes = cipher === 'des3_ede' ? 8 : 16;
    const family = familyOf(cipher, mode === 'xts' ? partBytes / 2 : partBytes);
    let iv = naiveIv(spec, number, blockBytes, setup);
    const hash = /-essiv:(.*)/.exec(spec)?.[1];
    if (hash !== undefined) {
      const salt = createHash(hash).update(part).digest();
      iv = ecb(`${familyOf(cipher, salt.byteLength)}-ecb`, salt, iv);
    }
    if (spec.endsWith('-eboiv')) iv = ecb(`${family}-ecb`, key.subarray(0, partBytes), iv);
    const piece = data.subarray(at, at + sectorBytes);
    pieces.push(one(`${family}-${mode}`, part, mode === 'ecb' ? null : iv, piece, encrypting));
  }
  return Buffer.concat(pieces);
}

function one(
  name: string,
  key: Uint8Array,
  iv: Uint8Array | null,
  data: Uint8Array,
  encrypting: boolean,
): Buffer {
  const make = encrypting ? createCipheriv : createDecipheriv;
  const cipher = make(name, key, iv);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

/** Offsets that are no multiple of anything, ranges apart or the same, and nothing else changes. */
function compare(
  setup: Required<Setup>,
  path: CipherPath,
  prng: Prng,
  sectorCounts: readonly number[],
): void {
  using cipher = create(setup, path);
  const { sectorBytes } = setup;
  for (const sectorCount of sectorCounts) {
    const lengthBytes = sectorCount * sectorBytes;
    const sourceOffset = prng.integer(0, 37);
    const targetOffset = prng.integer(0, 37);
    const sector = prng.integer(0, 2 ** 41) * (sectorBytes / 512);
    const source = prng.fill(new Uint8Array(sourceOffset + lengthBytes + 5));
    const before = source.slice();
    const target = prng.fill(new Uint8Array(targetOffset + lengthBytes + 7));
    const around = [target.slice(0, targetOffset), target.slice(-7)];
    const data = source.subarray(sourceOffset, sourceOffset + lengthBytes);
    const expected = expectedOf(setup, data, sector);
    const what = `${path} ${setup.spec} sector ${sector}, ${sectorCount} x ${sectorBytes} bytes`;

    cipher.encrypt(source, sourceOffset, target, targetOffset, lengthBytes, sector);
    expect(
      Buffer.compare(expected, target.subarray(targetOffset, targetOffset + lengthBytes)),
      what,
    ).toBe(0);
    expect(Buffer.compare(source, before), what).toBe(0);
    expect([target.slice(0, targetOffset), target.slice(-7)]).toEqual(around);

    cipher.decrypt(target, targetOffset, target, targetOffset, lengthBytes, sector);
    expect(
      Buffer.compare(data, target.subarray(targetOffset, targetOffset + lengthBytes)),
      what,
    ).toBe(0);
    cipher.encrypt(source, sourceOffset, source, sourceOffset, lengthBytes, sector);
    expect(Buffer.compare(expected, data), what).toBe(0);
  }
}

const keyBytesOf: Record<string, readonly number[]> = {
  aes: [16, 24, 32],
  camellia: [32],
  aria: [32],
  sm4: [16],
  des3_ede: [24],
};

const cases: { spec: string; keyBytes: number }[] = [];
for (const [cipher, lengths] of Object.entries(keyBytesOf)) {
  for (const keyBytes of lengths) {
    for (const iv of ['plain', 'plain64', 'plain64be', 'benbi', 'null', 'eboiv']) {
      cases.push({ spec: `${cipher}-cbc-${iv}`, keyBytes });
    }
    cases.push({ spec: `${cipher}-ecb-null`, keyBytes });
    // Node has no ctr of 3des.
    if (cipher !== 'des3_ede') cases.push({ spec: `${cipher}-ctr-plain64`, keyBytes });
  }
}
cases.push(
  ...[16, 32].map((keyBytes) => ({ spec: 'aes-xts-plain64', keyBytes: keyBytes * 2 })),
  { spec: 'aes-xts-plain', keyBytes: 64 },
  { spec: 'aes-xts-essiv:sha256', keyBytes: 64 },
  { spec: 'aes-cbc-essiv:sha256', keyBytes: 32 },
  { spec: 'aes-cbc-essiv:md5', keyBytes: 16 },
  { spec: 'camellia-cbc-essiv:sha256', keyBytes: 16 },
  { spec: 'aes-ctr-benbi', keyBytes: 32 },
  { spec: 'aes-ctr-plain64be', keyBytes: 32 },
  { spec: 'aes:2-cbc-plain64', keyBytes: 32 },
  { spec: 'aes:4-xts-plain64', keyBytes: 256 },
  { spec: 'aes:64-cbc-essiv:sha256', keyBytes: 1024 },
  { spec: 'aes:2-cbc-eboiv', keyBytes: 64 },
);

describe.each(paths)('sector ciphers, path %s', (path) => {
  it.each(cases)(
    '$spec with $keyBytes bytes of key is what it is sector by sector',
    ({ spec, keyBytes }) => {
      const prng = createPrng(keyBytes + spec.length * 1000);
      const key = prng.fill(new Uint8Array(keyBytes));
      const common = { spec, key, ivOffset: 0n };
      compare({ ...common, sectorBytes: 512, ivLargeSectors: false }, path, prng, [3, 67]);
      compare({ ...common, sectorBytes: 4096, ivLargeSectors: true }, path, prng, [1, 9]);
    },
  );

  it.each([512, 1024, 2048, 4096])(
    'xts with sectors of %d bytes, any count and offset',
    (sectorBytes) => {
      const prng = createPrng(sectorBytes);
      const key = prng.fill(new Uint8Array(64));
      for (const ivLargeSectors of [false, true]) {
        for (const ivOffset of [2n ** 32n - 8n, 2n ** 64n - 8n]) {
          const setup = { spec: 'aes-xts-plain64', key, sectorBytes, ivLargeSectors, ivOffset };
          compare(setup, path, prng, [1, 3, 36_864 / sectorBytes]);
        }
      }
    },
  );

  it('numbers wrap at 32 bits of plain and at 64 bits of the others, inside a request too', () => {
    const key = new Uint8Array(32).fill(7);
    const data = new Uint8Array(16 * 512);
    for (const iv of ['plain', 'plain64', 'plain64be', 'benbi', 'eboiv', 'essiv:sha256']) {
      for (const ivOffset of [2n ** 32n - 5n, 2n ** 64n - 5n, 2n ** 53n - 5n]) {
        const setup = {
          spec: `aes-cbc-${iv}`,
          key,
          ivOffset,
          sectorBytes: 512,
          ivLargeSectors: false,
        };
        using cipher = create(setup, path);
        const target = new Uint8Array(data.byteLength);
        cipher.encrypt(data, 0, target, 0, data.byteLength, 0);
        expect(Buffer.compare(naive(setup, data, 0, true), target), `${iv} ${ivOffset}`).toBe(0);
      }
    }
  });

  it('answers IEEE 1619', () => {
    const data = Uint8Array.from({ length: 512 }, (_, index) => index & 0xff);
    const target = new Uint8Array(512);
    const firstBytes = (key: string, number: bigint) => {
      using cipher = create(
        { spec: 'aes-xts-plain64', key: Buffer.from(key, 'hex'), ivOffset: number },
        path,
      );
      cipher.encrypt(data, 0, target, 0, 512, 0);
      return Buffer.from(target.subarray(0, 32)).toString('hex');
    };
    for (const { key, number, ciphertext } of ieee1619)
      expect(firstBytes(key, number)).toBe(ciphertext);
    // The last 16 bytes of vector 4, where the whole chain of tweaks has been.
    firstBytes(ieee1619[0]!.key, 0n);
    expect(Buffer.from(target.subarray(496)).toString('hex')).toBe(
      '0a282df920147beabe421ee5319d0568',
    );
  });

  it('takes equal halves of an xts key, as the kernel does outside FIPS mode', () => {
    using cipher = create({ spec: 'aes-xts-plain64', key: new Uint8Array(64).fill(9) }, path);
    const data = new Uint8Array(512);
    cipher.encrypt(data, 0, data, 0, 512, 0);
    cipher.decrypt(data, 0, data, 0, 512, 0);
    expect(data).toEqual(new Uint8Array(512));
  });
});

const key256 =
  '27182818284590452353602874713526624977572470936999595749669676273141592653589793238462643383279502884197169399375105820974944592';

/** Vectors 4 and 10 to 14. */
const ieee1619 = [
  {
    key: '2718281828459045235360287471352631415926535897932384626433832795',
    number: 0n,
    ciphertext: '27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c',
  },
  {
    key: key256,
    number: 0xffn,
    ciphertext: '1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b',
  },
  {
    key: key256,
    number: 0xffffn,
    ciphertext: '77a31251618a15e6b92d1d66dffe7b50b50bad552305ba0217a610688eff7e11',
  },
  {
    key: key256,
    number: 0xff_ffffn,
    ciphertext: 'e387aaa58ba483afa7e8eb469778317ecf4cf573aa9d4eac23f2cdf914e4e200',
  },
  {
    key: key256,
    number: 0xffff_ffffn,
    ciphertext: 'bf53d2dade78e822a4d949a9bc6766b01b06a8ef70d26748c6a7fc36d80ae4c5',
  },
  {
    key: key256,
    number: 0xff_ffff_ffffn,
    ciphertext: '64497e5a831e4a932c09be3e5393376daa599548b816031d224bbf50a818ed23',
  },
];
