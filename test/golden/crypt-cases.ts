/**
 * What is encrypted once by the real kernel and once by us: all combinations of cipher, mode, IV and key length that make sense to
 * ask for, and those of sector size and IV offset. Keys and plaintext follow from their lengths, so that nothing of them is stored.
 */

import { createHash } from 'node:crypto';

export const CASE_SECTORS = 16;
export const CASE_BYTES = CASE_SECTORS * 512;

/** The first argument of a table line and the length of the second. */
export interface CryptSpec {
  readonly cipher: string;
  readonly keyBytes: number;
}

/** The rest of the line. */
export interface CryptVariant {
  readonly sectorBytes: number;
  readonly ivLargeSectors: boolean;
  readonly ivOffset: bigint;
}

const variant = (sectorBytes: number, ivLargeSectors = false, ivOffset = 0n): CryptVariant => ({
  sectorBytes,
  ivLargeSectors,
  ivOffset,
});

/** The offsets let a case cross 2^32 and 2^64 in its middle. */
export const VARIANTS: readonly CryptVariant[] = [
  variant(512),
  variant(512, false, 2n ** 32n - 8n),
  variant(512, false, 2n ** 64n - 8n),
  ...[1024, 2048, 4096].flatMap((size) => [variant(size), variant(size, true)]),
];

interface CipherKeys {
  readonly cipher: string;
  /** The first one is asked about with everything, the others with the main modes and IVs. */
  readonly keyBytes: readonly number[];
  readonly blockBytes: number;
}

const block16 = (cipher: string): CipherKeys => ({
  cipher,
  keyBytes: [32, 16, 24],
  blockBytes: 16,
});
const CIPHERS: readonly CipherKeys[] = [
  ...['aes', 'serpent', 'twofish', 'camellia'].map(block16),
  { cipher: 'blowfish', keyBytes: [16, 4, 7, 32, 56], blockBytes: 8 },
  { cipher: 'cast5', keyBytes: [16, 5, 10], blockBytes: 8 },
  { cipher: 'des3_ede', keyBytes: [24], blockBytes: 8 },
];
const MODES = ['xts', 'cbc', 'ecb', 'ctr'];
const HASHES = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'rmd160', 'wp512'];
const MAIN_IVS = ['plain64', 'essiv:sha256', 'lmk', 'tcw', 'eboiv', 'elephant'];
const IVS: readonly (string | null)[] = [
  ...[null, 'plain', 'plain64be', 'benbi', 'null', 'random', 'essiv', 'plain:x', 'nosuch'],
  ...[...HASHES, 'sha3-256', 'blake2b-256', 'nosuch'].map((hash) => `essiv:${hash}`),
  ...MAIN_IVS.filter((iv) => iv !== 'essiv:sha256'),
];

/** Good ones and bad ones. */
export const SPECS: readonly CryptSpec[] = [
  ...CIPHERS.flatMap(specsOf),
  { cipher: 'aes-xts-plain64', keyBytes: 16 },
  { cipher: 'aes-cbc-plain64', keyBytes: 20 },
  { cipher: 'des3_ede-cbc-plain64', keyBytes: 16 },
  { cipher: 'cast5-cbc-plain64', keyBytes: 17 },
  { cipher: 'blowfish-cbc-plain64', keyBytes: 57 },
  { cipher: 'aes:2-cbc-plain64', keyBytes: 32 },
  { cipher: 'aes:4-xts-plain64', keyBytes: 128 },
  { cipher: 'serpent:8-cbc-essiv:sha256', keyBytes: 256 },
  { cipher: 'aes:3-cbc-plain64', keyBytes: 48 },
  { cipher: 'capi:xts(aes)-plain64', keyBytes: 64 },
  { cipher: 'capi:cbc(aes)-essiv:sha256', keyBytes: 32 },
  { cipher: 'capi:xts(serpent)-plain64be', keyBytes: 32 },
  { cipher: 'capi:essiv(cbc(twofish),sha256)-plain64', keyBytes: 32 },
  { cipher: 'capi:ctr(camellia)-plain64', keyBytes: 16 },
  { cipher: 'capi:cbc(des3_ede)-plain', keyBytes: 24 },
  { cipher: 'capi:xts(aes)-benbi', keyBytes: 32 },
  { cipher: 'capi:cbc(aes)-eboiv', keyBytes: 32 },
  { cipher: 'capi:ecb(aes)-null', keyBytes: 32 },
];

function specsOf({ cipher, keyBytes, blockBytes }: CipherKeys): CryptSpec[] {
  return keyBytes.flatMap((length, index) =>
    MODES.filter((mode) => index === 0 || mode === 'xts' || mode === 'cbc').flatMap((mode) => {
      const keyLength = mode === 'xts' ? 2 * length : length;
      const ivs = index === 0 ? IVS : MAIN_IVS;
      return ivs.flatMap((iv) => withIv(cipher, mode, iv, keyLength, blockBytes));
    }),
  );
}

function withIv(
  cipher: string,
  mode: string,
  iv: string | null,
  keyBytes: number,
  blockBytes: number,
): CryptSpec[] {
  const name = (count = '') => `${cipher}${count}-${mode}${iv === null ? '' : `-${iv}`}`;
  switch (iv) {
    case 'lmk':
      return [
        { cipher: name(), keyBytes },
        { cipher: name(':64'), keyBytes: 64 * keyBytes },
        { cipher: name(':64'), keyBytes: 65 * keyBytes },
      ];
    case 'tcw':
      return [{ cipher: name(), keyBytes: keyBytes + blockBytes + 16 }];
    case 'elephant':
      return [{ cipher: name(), keyBytes: 2 * keyBytes }];
    default:
      return [{ cipher: name(), keyBytes }];
  }
}

/** Bytes that look random and are always the same. */
function stream(label: string, lengthBytes: number): Uint8Array {
  const pieces = Array.from({ length: Math.ceil(lengthBytes / 32) }, (_, index) =>
    createHash('sha256').update(`${label} ${index}`).digest(),
  );
  return Uint8Array.from(Buffer.concat(pieces)).slice(0, lengthBytes);
}

export function keyOf({ keyBytes }: CryptSpec): Uint8Array {
  return stream('key', keyBytes);
}

/** Of one case. */
export function plaintext(): Uint8Array {
  return stream('plain', CASE_BYTES);
}

/** lmk's IV is of the plaintext and is put right behind the decryption, which works only for cbc: the kernel cannot read others either. */
export function isReversible({ cipher }: CryptSpec): boolean {
  return !/-(xts|ctr)-lmk$/.test(cipher);
}

/** dm-crypt's arguments. */
export function paramsOf(
  spec: CryptSpec,
  { sectorBytes, ivLargeSectors, ivOffset }: CryptVariant,
  device: string,
  startSector: number,
): string {
  const options = [
    ...(sectorBytes === 512 ? [] : [`sector_size:${sectorBytes}`]),
    ...(ivLargeSectors ? ['iv_large_sectors'] : []),
  ];
  const key = Buffer.from(keyOf(spec)).toString('hex');
  const tail = options.length === 0 ? '' : ` ${options.length} ${options.join(' ')}`;
  return `${spec.cipher} ${key} ${ivOffset} ${device} ${startSector}${tail}`;
}

/** Enough of it to tell any two apart. */
export function fingerprint(ciphertext: Uint8Array): string {
  return createHash('sha256').update(ciphertext).digest('hex').slice(0, 8);
}
