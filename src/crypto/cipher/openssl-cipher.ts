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
import type { BlockCipher, CipherType } from './block-cipher.ts';
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

type Create = (key: Uint8Array, engine: CipherEngine) => BlockCipher | null;

export function opensslCipher(cipher: OpensslCipher): CipherType {
  const { name, blockBytes, keyLengthsBytes } = cipher;
  const ways: readonly Create[] = [
    (key, engine) => createWithEvp(cipher, key, engine),
    (key, engine) => createWithNode(cipher, key, engine),
  ];
  const chosen = new Map<CipherEngine, Create>();

  return {
    name,
    blockBytes,
    keyLengthsBytes,
    create(key, engine) {
      let way = chosen.get(engine);
      if (!way) {
        way = ways.find((create) => passesSelfCheck(create, cipher, engine)) ?? createNothing;
        chosen.set(engine, way);
      }
      const created = way(key, engine);
      if (created) return created;
      throw new DmError(
        'ENOENT',
        `Cannot use the cipher ${name}: Error allocating crypto tfm, the OpenSSL ${process.versions.openssl} of this Node ${process.version} ` +
          `does not have ${cipher.opensslName(key.byteLength)}; the builds of nodejs.org have it` +
          (cipher.legacy ? ', with koffi or under node --openssl-legacy-provider' : ''),
      );
    },
  };
}

const createNothing: Create = () => null;

function createWithEvp(
  cipher: OpensslCipher,
  key: Uint8Array,
  engine: CipherEngine,
): BlockCipher | null {
  const { calls, memory } = engine;
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
}

type EvpContext = NonNullable<ReturnType<CipherCalls['open']>>;

class EvpCipher implements BlockCipher {
  readonly #calls: CipherCalls;
  readonly #encryption: EvpContext;
  readonly #decryption: EvpContext;

  constructor(calls: CipherCalls, encryption: EvpContext, decryption: EvpContext) {
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
    this.#calls.close(this.#decryption);
  }

  #update(context: EvpContext, address: number, lengthBytes: number): void {
    const done = this.#calls.update(context, address, lengthBytes);
    assert(done, 'OpenSSL takes whole blocks');
  }
}

function createWithNode(
  cipher: OpensslCipher,
  key: Uint8Array,
  engine: CipherEngine,
): BlockCipher | null {
  const name = cipher.opensslName(key.byteLength).toLowerCase();
  if (!getCiphers().includes(name)) return null;
  return new NodeCipher(
    engine.memory,
    createCipheriv(name, key, null).setAutoPadding(false),
    createDecipheriv(name, key, null).setAutoPadding(false),
  );
}

interface NodeStream {
  update(data: Uint8Array): Uint8Array;
  final(): Uint8Array;
}

/** ECB keeps nothing from one block to the next, so that one stream lasts for ever. */
class NodeCipher implements BlockCipher {
  readonly #memory: CipherMemory;
  #streams: { encryption: NodeStream; decryption: NodeStream } | null;

  constructor(memory: CipherMemory, encryption: NodeStream, decryption: NodeStream) {
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
    this.#streams?.decryption.final();
    this.#streams = null;
  }

  #update(stream: NodeStream | undefined, address: number, lengthBytes: number): void {
    assert(stream !== undefined, 'a cipher is not used after it was closed');
    const { bytes } = this.#memory.scratch;
    bytes.set(stream.update(bytes.subarray(address, address + lengthBytes)), address);
  }
}
