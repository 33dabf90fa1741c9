/**
 * Hashes by the names that cryptsetup and the kernel write: from Node's OpenSSL, and the few that are not in it from hash-wasm.
 * cryptsetup's own set depends on the library it was built with (`blake2b-512` OpenSSL's, `blake2b-256` libgcrypt's); all of it
 * is here but tiger and stribog, for which nothing has code.
 */

import { createHash, getHashes, hash } from 'node:crypto';
import type { IHasher } from 'hash-wasm';
import { DmError } from '../base/errors.ts';

export interface HashAlgorithm {
  readonly name: string;
  readonly digestBytes: number;
  /** Fills `target`, at most a digest long, with the beginning of the digest of all parts, one after the other; leaves no copy. */
  digestInto(target: Uint8Array, ...parts: readonly Uint8Array[]): void;
}

type HashWasm = typeof import('hash-wasm');

interface KnownHash {
  readonly digestBytes: number;
  /** OpenSSL's name; absent: it has none. */
  readonly node?: string;
  /** Absent: every Node that we support has it. */
  readonly wasm?: (library: HashWasm) => Promise<IHasher>;
}

const known = new Map<string, KnownHash>([
  ['md5', { digestBytes: 16, node: 'md5' }],
  ['sha1', { digestBytes: 20, node: 'sha1' }],
  ['sha224', { digestBytes: 28, node: 'sha224' }],
  ['sha256', { digestBytes: 32, node: 'sha256' }],
  ['sha384', { digestBytes: 48, node: 'sha384' }],
  ['sha512', { digestBytes: 64, node: 'sha512' }],
  ['sha512-256', { digestBytes: 32, node: 'sha512-256' }],
  ['sha3-224', { digestBytes: 28, node: 'sha3-224' }],
  ['sha3-256', { digestBytes: 32, node: 'sha3-256' }],
  ['sha3-384', { digestBytes: 48, node: 'sha3-384' }],
  ['sha3-512', { digestBytes: 64, node: 'sha3-512' }],
  ['ripemd160', { digestBytes: 20, node: 'ripemd160', wasm: (l) => l.createRIPEMD160() }],
  ['rmd160', { digestBytes: 20, node: 'ripemd160', wasm: (l) => l.createRIPEMD160() }],
  ['whirlpool', { digestBytes: 64, node: 'whirlpool', wasm: (l) => l.createWhirlpool() }],
  ['sm3', { digestBytes: 32, node: 'sm3', wasm: (l) => l.createSM3() }],
  ['blake2b-160', { digestBytes: 20, wasm: (l) => l.createBLAKE2b(160) }],
  ['blake2b-256', { digestBytes: 32, wasm: (l) => l.createBLAKE2b(256) }],
  ['blake2b-384', { digestBytes: 48, wasm: (l) => l.createBLAKE2b(384) }],
  ['blake2b-512', { digestBytes: 64, node: 'blake2b512', wasm: (l) => l.createBLAKE2b(512) }],
  ['blake2s-128', { digestBytes: 16, wasm: (l) => l.createBLAKE2s(128) }],
  ['blake2s-160', { digestBytes: 20, wasm: (l) => l.createBLAKE2s(160) }],
  ['blake2s-224', { digestBytes: 28, wasm: (l) => l.createBLAKE2s(224) }],
  ['blake2s-256', { digestBytes: 32, node: 'blake2s256', wasm: (l) => l.createBLAKE2s(256) }],
]);

/** Every name, for messages and lists. */
export const hashNames: readonly string[] = [...known.keys()];

/** Bytes of a digest; null for a hash that nothing here computes. Case does not matter, as for cryptsetup. */
export function hashDigestBytes(name: string): number | null {
  return known.get(name.toLowerCase())?.digestBytes ?? null;
}

function find(name: string): KnownHash {
  const hash = known.get(name.toLowerCase());
  if (hash) return hash;
  const names = hashNames.join(', ');
  throw new DmError('ENOTSUP', `Hash "${name}" is not supported, expected one of ${names}`);
}

/** OpenSSL's name for it where this Node has it, else null. */
export function nodeHashName(name: string): string | null {
  const { node } = find(name);
  return node !== undefined && getHashes().includes(node) ? node : null;
}

/** hash-wasm's, for what `nodeHashName` has no answer. */
export async function loadWasmHasher(name: string): Promise<IHasher> {
  const { wasm } = find(name);
  if (wasm) return wasm(await import('hash-wasm'));
  throw new DmError('ENOTSUP', `Hash "${name}" is not supported: this Node is built without it`);
}

/** The hash of that name. Throws ENOTSUP for one that nothing here computes. */
export async function loadHash(name: string): Promise<HashAlgorithm> {
  const { digestBytes } = find(name);
  const node = nodeHashName(name);
  const digest = node ? nodeDigest(node) : wasmDigest(await loadWasmHasher(name));
  return {
    name,
    digestBytes,
    digestInto(target, ...parts) {
      const result = digest(parts);
      target.set(result.subarray(0, target.byteLength));
      result.fill(0);
    },
  };
}

type Digest = (parts: readonly Uint8Array[]) => Uint8Array;

function nodeDigest(name: string): Digest {
  return (parts) => {
    const [only, ...more] = parts;
    // Twice as fast for 512 bytes, of which re-encryption has many.
    if (only !== undefined && more.length === 0) return hash(name, only, 'buffer');
    const whole = createHash(name);
    for (const part of parts) whole.update(part);
    return whole.digest();
  };
}

function wasmDigest(hasher: IHasher): Digest {
  return (parts) => {
    hasher.init();
    for (const part of parts) hasher.update(part);
    return hasher.digest('binary');
  };
}
