/**
 * The anti-forensic splitter of LUKS: a key inflated to `stripes` times its length, such that each bit of it is needed to get the key back; one sector
 * overwritten destroys it. Source: "LUKS On-Disk Format Specification" 1.2.3, 2.4; LUKS2 names it `luks1`.
 */

import { randomFillSync } from 'node:crypto';
import { assert } from '../base/assert.ts';
import { DmError } from '../base/errors.ts';
import type { HashAlgorithm } from './hash.ts';
import { Secret } from './secret.ts';

/** LUKS never has another number; a header may not ask for more work. */
export const AF_MAX_STRIPES = 4000;
const MAX_KEY_BYTES = 4096;

export interface AfOptions {
  /** `loadHash` gives it. */
  hash: HashAlgorithm;
  stripes: number;
}

/** The material of a key: `stripes` times its length, to be encrypted and stored. The caller wipes it. `fillRandom` is for tests. */
export function splitKey(
  key: Secret,
  { hash, stripes }: AfOptions,
  fillRandom: (bytes: Uint8Array) => unknown = randomFillSync,
): Secret {
  checkSize(key.lengthBytes, stripes);
  const keyBytes = key.lengthBytes;
  const material = Secret.allocate(keyBytes * stripes);
  const lastAt = keyBytes * (stripes - 1);
  fillRandom(material.bytes.subarray(0, lastAt));
  using mixed = mixStripes(material.bytes, keyBytes, stripes, hash);
  xorInto(mixed.bytes, key.bytes, 0);
  material.bytes.set(mixed.bytes, lastAt);
  return material;
}

/** The key of material that `splitKey` made, whoever's; the caller wipes it. Wrong material gives a wrong key and no error. */
export function mergeKey(material: Uint8Array, { hash, stripes }: AfOptions): Secret {
  const keyBytes = material.byteLength / stripes;
  checkSize(keyBytes, stripes);
  const key = mixStripes(material, keyBytes, stripes, hash);
  xorInto(key.bytes, material, keyBytes * (stripes - 1));
  return key;
}

function checkSize(keyBytes: number, stripes: number): void {
  if (!Number.isSafeInteger(stripes) || stripes < 1 || stripes > AF_MAX_STRIPES) {
    throw new DmError(
      'EINVAL',
      `Cannot split or merge a key: stripes must be an integer from 1 to ${AF_MAX_STRIPES}, got ${stripes}`,
    );
  }
  if (!Number.isSafeInteger(keyBytes) || keyBytes < 1 || keyBytes > MAX_KEY_BYTES) {
    throw new DmError(
      'EINVAL',
      `Cannot split or merge a key: it must have 1 to ${MAX_KEY_BYTES} bytes for each of ${stripes} stripes, got ${keyBytes}`,
    );
  }
}

/** All stripes but the last, each mixed into the diffused sum of those before it. */
function mixStripes(
  material: Uint8Array,
  keyBytes: number,
  stripes: number,
  hash: HashAlgorithm,
): Secret {
  const mixed = Secret.allocate(keyBytes);
  for (let stripe = 0; stripe < stripes - 1; stripe++) {
    xorInto(mixed.bytes, material, stripe * keyBytes);
    diffuse(mixed.bytes, hash);
  }
  return mixed;
}

/** Replaces each piece of a digest's length by the digest of its number and itself; the last one is cut off. */
function diffuse(block: Uint8Array, hash: HashAlgorithm): void {
  const { digestBytes } = hash;
  assert(digestBytes > 0, 'a digest has a length');
  const number = new Uint8Array(4);
  for (let index = 0; index * digestBytes < block.byteLength; index++) {
    const piece = block.subarray(index * digestBytes, (index + 1) * digestBytes);
    new DataView(number.buffer).setUint32(0, index);
    hash.digestInto(piece, number, piece);
  }
}

function xorInto(target: Uint8Array, source: Uint8Array, sourceOffset: number): void {
  for (let index = 0; index < target.byteLength; index++) {
    target[index]! ^= source[sourceOffset + index]!;
  }
}
