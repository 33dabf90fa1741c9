/**
 * essiv: the IV from another generator, encrypted with the hash of the data's key. In the kernel it is a template around the cipher,
 * `essiv(cbc(aes),sha256)`, and `-essiv:sha256` stands for that with plain64.
 */

import { createHash, getHashes } from 'node:crypto';
import { DmError } from '../../base/errors.ts';
import type { IvContext, IvGenerator } from './iv-generator.ts';

type EssivContext = Pick<IvContext, 'cipher' | 'engine' | 'ivBytes'>;

/** `inner` makes the IV that is encrypted; it belongs to the result. */
export function withEssiv(
  inner: IvGenerator,
  hash: string,
  key: Uint8Array,
  context: EssivContext,
): IvGenerator {
  const { cipher, engine, ivBytes } = context;
  const salt = hashOf(hash, key);
  try {
    checkSaltLength(salt.byteLength, hash, context);
    const blocks = cipher.create(salt, engine);
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
  } finally {
    salt.fill(0);
  }
}

/** Where the kernel's name is not OpenSSL's. */
const opensslNames: Readonly<Record<string, string>> = { rmd160: 'ripemd160' };

function hashOf(hash: string, key: Uint8Array): Uint8Array {
  const name = opensslNames[hash] ?? hash;
  const isKernelName = hash === hash.toLowerCase() && !(hash in kernelNames);
  if (!isKernelName || !getHashes().includes(name)) {
    throw new DmError(
      'ENOENT',
      `Cannot use essiv with the hash "${hash}": Error allocating crypto tfm, no such hash here, expected sha256 or another of OpenSSL's`,
    );
  }
  return createHash(name).update(key).digest();
}

/** OpenSSL's names that are not the kernel's. */
const kernelNames = Object.fromEntries(Object.entries(opensslNames).map(([a, b]) => [b, a]));

function checkSaltLength(saltBytes: number, hash: string, { cipher }: EssivContext): void {
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
