/**
 * Block ciphers that Node's OpenSSL has as ECB: in place through EVP, else with `cipher.update`. Which one works is found out at the cipher's first
 * use, with known answers.
 */

import { createCipheriv, createDecipheriv, getCiphers } from 'node:crypto';
import { assert } from '../../base/assert.ts';
import { DmError } from '../../base/errors.ts';
import type { CipherCalls } from '../../system/cipher-calls.ts';
import type { CipherEngine } from '../cipher-engine.ts';
import type { CipherMemory } from '../kernels/cipher-memory.ts';
import type { BlockCipher, ChainedCipher, CipherType } from './block-cipher.ts';
import { type KnownAnswer, passesSelfCheck } from './self-check.ts';

export interface OpensslCipher {
  /** The kernel's. */
  name: string;
  blockBytes: 8 | 16;
  keyLengthsBytes: readonly number[];
  /** OpenSSL's, for a key of that length: `AES-256-ECB`. */
  opensslName(keyBytes: number): string;
  /** In OpenSSL's legacy provider, which Node loads only when told to; EVP loads it itself. */
  legacy?: boolean;
  knownAnswers: readonly KnownAnswer[];
}

/** How to get at OpenSSL; null where that way does not lead to the cipher. */
interface Way {
  create(cipher: OpensslCipher, key: Uint8Array, engine: CipherEngine): BlockCipher | null;
  createChained(cipher: OpensslCipher, key: Uint8Array, engine: CipherEngine): ChainedCipher | null;
}

export function opensslCipher(cipher: OpensslCipher): CipherType {
  const { name, blockBytes, keyLengthsBytes } = cipher;
  const chosen = new Map<CipherEngine, Way | null>();

  function wayOf(engine: CipherEngine): Way | null {
    const known = chosen.get(engine);
    if (known !== undefined) return known;
    const passes = (way: Way) =>
      passesSelfCheck((key) => way.create(cipher, key, engine), cipher, engine);
    const way = [viaEvp, viaNode].find(passes) ?? null;
    chosen.set(engine, way);
    return way;
  }

  return {
    name,
    blockBytes,
    keyLengthsBytes,
    create(key, engine) {
      const created = wayOf(engine)?.create(cipher, key, engine);
      if (created) return created;
      throw unavailable(cipher, key);
    },
    createChained: (key, engine) => wayOf(engine)?.createChained(cipher, key, engine) ?? null,
  };
}

function unavailable({ name, opensslName, legacy }: OpensslCipher, key: Uint8Array): DmError {
  const here = `the OpenSSL ${process.versions.openssl} of this Node ${process.version}`;
  const remedy = legacy
    ? 'its legacy provider has it: install the package koffi, or start node with --openssl-legacy-provider'
    : 'the builds of nodejs.org have it';
  return new DmError(
    'ENOENT',
    `Cannot use the cipher ${name}: Error allocating crypto tfm, ${here} does not have ${opensslName(key.byteLength)}; ${remedy}`,
  );
}

/** OpenSSL's name of the same cipher in CBC mode. */
const chainedName = (cipher: OpensslCipher, key: Uint8Array) =>
  cipher.opensslName(key.byteLength).replace(/-ECB$/, '-CBC');

const viaEvp: Way = {
  create(cipher, key, { calls, memory }) {
    if (calls === null) return null;
    const options = {
      cipherName: cipher.opensslName(key.byteLength),
      legacy: cipher.legacy ?? false,
      key,
      buffer: memory.scratch,
    };
    const encryption = calls.open({ ...options, encrypting: true });
    const decryption = calls.open({ ...options, encrypting: false });
    if (encryption && decryption) return new EvpCipher(calls, encryption, decryption);
    if (encryption) calls.close(encryption);
    if (decryption) calls.close(decryption);
    return null;
  },
  createChained(cipher, key, { calls, memory }) {
    const context = calls?.open({
      cipherName: chainedName(cipher, key),
      legacy: cipher.legacy ?? false,
      key,
      buffer: memory.scratch,
      encrypting: true,
    });
    return calls && context ? new EvpCipher(calls, context, null) : null;
  },
};

const viaNode: Way = {
  create(cipher, key, { memory }) {
    const name = cipher.opensslName(key.byteLength).toLowerCase();
    if (!getCiphers().includes(name)) return null;
    return new NodeCipher(
      memory,
      createCipheriv(name, key, null).setAutoPadding(false),
      createDecipheriv(name, key, null).setAutoPadding(false),
    );
  },
  createChained(cipher, key, { memory }) {
    const name = chainedName(cipher, key).toLowerCase();
    if (!getCiphers().includes(name)) return null;
    const iv = new Uint8Array(cipher.blockBytes);
    return new NodeCipher(memory, createCipheriv(name, key, iv).setAutoPadding(false), null);
  },
};

type EvpContext = NonNullable<ReturnType<CipherCalls['open']>>;

class EvpCipher implements BlockCipher {
  readonly #calls: CipherCalls;
  readonly #encryption: EvpContext;
  readonly #decryption: EvpContext | null;

  constructor(calls: CipherCalls, encryption: EvpContext, decryption: EvpContext | null) {
    this.#calls = calls;
    this.#encryption = encryption;
    this.#decryption = decryption;
  }

  encrypt(address: number, lengthBytes: number): void {
    this.#update(this.#encryption, address, lengthBytes);
  }

  decrypt(address: number, lengthBytes: number): void {
    this.#update(this.#decryption, address, lengthBytes);
  }

  close(): void {
    this.#calls.close(this.#encryption);
    if (this.#decryption) this.#calls.close(this.#decryption);
  }

  #update(context: EvpContext | null, address: number, lengthBytes: number): void {
    assert(context !== null, 'a chain only encrypts');
    assert(this.#calls.update(context, address, lengthBytes), 'OpenSSL takes whole blocks');
  }
}

interface NodeStream {
  update(data: Uint8Array): Uint8Array;
  final(): Uint8Array;
}

/** ECB keeps nothing from one block to the next, and a chain is meant to go on: one stream lasts for ever. */
class NodeCipher implements BlockCipher {
  readonly #memory: CipherMemory;
  #streams: { encryption: NodeStream; decryption: NodeStream | null } | null;

  constructor(memory: CipherMemory, encryption: NodeStream, decryption: NodeStream | null) {
    this.#memory = memory;
    this.#streams = { encryption, decryption };
  }

  encrypt(address: number, lengthBytes: number): void {
    this.#update(this.#streams?.encryption, address, lengthBytes);
  }

  decrypt(address: number, lengthBytes: number): void {
    this.#update(this.#streams?.decryption, address, lengthBytes);
  }

  /** `final` makes OpenSSL overwrite and free the key schedule at once, not when it is collected. */
  close(): void {
    this.#streams?.encryption.final();
    this.#streams?.decryption?.final();
    this.#streams = null;
  }

  #update(stream: NodeStream | null | undefined, address: number, lengthBytes: number): void {
    assert(stream, 'a cipher is not used after it was closed');
    const { bytes } = this.#memory.scratch;
    bytes.set(stream.update(bytes.subarray(address, address + lengthBytes)), address);
  }
}
