/**
 * essiv: the IV from another generator, encrypted with the hash of the data's key. In the kernel it is a template around the cipher,
 * `essiv(cbc(aes),sha256)`, and `-essiv:sha256` stands for that with plain64.
 */

import { createHash } from 'node:crypto';
import { DmError } from '../../base/errors.ts';
import type { CipherType } from '../cipher/block-cipher.ts';
import type { IvContext, IvGenerator } from './iv-generator.ts';

type EssivContext = Pick<IvContext, 'cipher' | 'engine' | 'ivBytes'>;

/** `inner` makes the IV that is encrypted; it belongs to the result. `checkEssivHash` has passed. */
export function withEssiv(
  inner: IvGenerator,
  hash: string,
  key: Uint8Array,
  context: EssivContext,
): IvGenerator {
  const { cipher, engine, ivBytes } = context;
  const salt = hashOf(hash, key);
  const blocks = cipher.create(salt, engine);
  salt.fill(0);
  return {
    prepare(run) {
      inner.prepare(run);
      blocks.encrypt(run.ivsAt, run.sectorCount * ivBytes);
    },
    finish: (run) => inner.finish?.(run),
    close() {
      inner.close();
      blocks.close();
    },
  };
}

/** Refuses, before any key is expanded, a hash that is not here or whose digest is no key of the cipher. */
export function checkEssivHash(hash: string, cipher: CipherType): void {
  if (!opensslNames.has(hash)) {
    const names = [...opensslNames.keys()].join(', ');
    throw new DmError(
      'ENOENT',
      `Cannot use essiv with the hash "${hash}": Error allocating crypto tfm, expected one of ${names}`,
    );
  }
  const saltBytes = hashOf(hash, new Uint8Array()).byteLength;
  const lengths = cipher.keyLengthsBytes;
  if (lengths.includes(saltBytes)) return;
  const between = saltBytes > Math.min(...lengths) && saltBytes < Math.max(...lengths);
  const words = between ? 'Error decoding and setting key' : 'Error allocating crypto tfm';
  throw new DmError(
    'EINVAL',
    `Cannot use essiv with ${hash} and ${cipher.name}: ${words}, the hash has ${saltBytes} bytes, ` +
      `the cipher takes keys of ${lengths.join(', ')}`,
  );
}

/** OpenSSL's names of the kernel's hashes. */
const opensslNames: ReadonlyMap<string, string> = new Map([
  ['md5', 'md5'],
  ['rmd160', 'ripemd160'],
  ['sha1', 'sha1'],
  ['sha224', 'sha224'],
  ['sha256', 'sha256'],
  ['sha384', 'sha384'],
  ['sha512', 'sha512'],
  ['sha3-224', 'sha3-224'],
  ['sha3-256', 'sha3-256'],
  ['sha3-384', 'sha3-384'],
  ['sha3-512', 'sha3-512'],
  ['sm3', 'sm3'],
]);

function hashOf(hash: string, key: Uint8Array): Uint8Array {
  return createHash(opensslNames.get(hash)!).update(key).digest();
}
