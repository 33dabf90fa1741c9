/**
 * OpenSSL's EVP through koffi, the copy of it that Node itself runs on: never the system's libcrypto, whose symbols clash with Node's.
 * Offset and length are checked before every call, as in raw-calls.ts.
 *
 * Source: EVP_EncryptInit(3), EVP_CIPHER_fetch(3), OSSL_LIB_CTX(3), OSSL_PROVIDER(3)
 */
import { assert } from '../base/assert.ts';
import { Addresses, checkSpan } from './addresses.ts';
import type { Koffi } from './natives.ts';
import { PinnedBuffer } from './pinned-buffer.ts';

type Call = (...args: (number | string)[]) => number;

/** Pointers are `uintptr_t`, so that they travel as numbers. */
const prototypes = {
  OSSL_LIB_CTX_new: ['uintptr_t'],
  OSSL_LIB_CTX_free: ['void', 'uintptr_t'],
  OSSL_PROVIDER_load: ['uintptr_t', 'uintptr_t', 'str'],
  ERR_clear_error: ['void'],
  EVP_CIPHER_fetch: ['uintptr_t', 'uintptr_t', 'str', 'uintptr_t'],
  EVP_CIPHER_free: ['void', 'uintptr_t'],
  EVP_CIPHER_CTX_new: ['uintptr_t'],
  EVP_CIPHER_CTX_free: ['void', 'uintptr_t'],
  EVP_CIPHER_CTX_set_padding: ['int', 'uintptr_t', 'int'],
  EVP_CIPHER_CTX_set_key_length: ['int', 'uintptr_t', 'int'],
  EVP_CipherInit_ex: [
    'int',
    'uintptr_t',
    'uintptr_t',
    'uintptr_t',
    'uintptr_t',
    'uintptr_t',
    'int',
  ],
  EVP_Cipher: ['int', 'uintptr_t', 'uintptr_t', 'uintptr_t', 'uint'],
  memcpy: ['uintptr_t', 'uintptr_t', 'uintptr_t', 'uintptr_t'],
} as const;

type Calls = Record<keyof typeof prototypes, Call>;

/** An EVP_CIPHER_CTX with its key schedule, and the memory it works in; only this file sees the addresses. */
export class EvpContext {
  readonly buffer: PinnedBuffer;
  readonly base: number;
  #address: number;

  constructor(address: number, buffer: PinnedBuffer, base: number) {
    this.#address = address;
    this.buffer = buffer;
    this.base = base;
  }

  /** 0 once it was freed. */
  get address(): number {
    return this.#address;
  }

  forget(): void {
    this.#address = 0;
  }
}

export interface EvpRequest {
  /** OpenSSL's: `AES-256-ECB`. */
  cipherName: string;
  /** Of the legacy provider, in a library context of its own: Node's stays as it is. */
  legacy: boolean;
  /** Starts with the key. */
  key: PinnedBuffer;
  keyBytes: number;
  encrypting: boolean;
  /** All that it will read and write. */
  buffer: PinnedBuffer;
}

export class RawCipherCalls {
  readonly #calls: Calls;
  readonly #addresses: Addresses;
  /** The IV of those that have one. */
  readonly #zeros = PinnedBuffer.allocate(16);
  #legacy: number | undefined;

  /** Throws where this Node has no OpenSSL 3, or does not let others see it. */
  constructor(koffi: Koffi) {
    this.#calls = declareCalls(koffi);
    this.#addresses = new Addresses(koffi);
  }

  /** Null when this OpenSSL has no such cipher, or none with such a key. */
  createContext(request: EvpRequest): EvpContext | null {
    checkSpan(request.key, 0, request.keyBytes);
    const openssl = this.#calls;
    const library = request.legacy ? this.#legacyLibrary() : 0;
    const cipher = library < 0 ? 0 : openssl.EVP_CIPHER_fetch(library, request.cipherName, 0);
    if (cipher === 0) {
      openssl.ERR_clear_error();
      return null;
    }
    const address = openssl.EVP_CIPHER_CTX_new();
    const done = address !== 0 && this.#init(address, cipher, request);
    // The context holds a reference of its own.
    openssl.EVP_CIPHER_free(cipher);
    if (done) return new EvpContext(address, request.buffer, this.#addresses.of(request.buffer));
    if (address !== 0) openssl.EVP_CIPHER_CTX_free(address);
    openssl.ERR_clear_error();
    return null;
  }

  /** In place; whether all `lengthBytes` were done. */
  update(context: EvpContext, offsetBytes: number, lengthBytes: number): boolean {
    checkSpan(context.buffer, offsetBytes, lengthBytes);
    const { address } = context;
    assert(address !== 0, 'a cipher is not used after it was closed');
    const at = context.base + offsetBytes;
    return this.#calls.EVP_Cipher(address, at, at, lengthBytes) === lengthBytes;
  }

  /** The two may not overlap. */
  copy(
    target: PinnedBuffer,
    targetOffset: number,
    source: PinnedBuffer,
    sourceOffset: number,
    lengthBytes: number,
  ): void {
    checkSpan(target, targetOffset, lengthBytes);
    checkSpan(source, sourceOffset, lengthBytes);
    const addresses = this.#addresses;
    const from = addresses.of(source) + sourceOffset;
    this.#calls.memcpy(addresses.of(target) + targetOffset, from, lengthBytes);
  }

  /** OpenSSL overwrites the key schedule before it gives the memory back. */
  freeContext(context: EvpContext): void {
    if (context.address === 0) return;
    this.#calls.EVP_CIPHER_CTX_free(context.address);
    context.forget();
  }

  #init(address: number, cipher: number, request: EvpRequest): boolean {
    const openssl = this.#calls;
    const encrypting = request.encrypting ? 1 : 0;
    const key = this.#addresses.of(request.key);
    return (
      openssl.EVP_CipherInit_ex(address, cipher, 0, 0, 0, encrypting) === 1 &&
      openssl.EVP_CIPHER_CTX_set_key_length(address, request.keyBytes) === 1 &&
      openssl.EVP_CipherInit_ex(address, 0, 0, key, this.#addresses.of(this.#zeros), encrypting) ===
        1 &&
      openssl.EVP_CIPHER_CTX_set_padding(address, 0) === 1
    );
  }

  /** Loaded once for the thread; -1 when this build has no legacy provider. */
  #legacyLibrary(): number {
    if (this.#legacy !== undefined) return this.#legacy;
    const openssl = this.#calls;
    const library = openssl.OSSL_LIB_CTX_new();
    const loaded = library !== 0 && openssl.OSSL_PROVIDER_load(library, 'legacy') !== 0;
    if (library !== 0 && !loaded) openssl.OSSL_LIB_CTX_free(library);
    openssl.ERR_clear_error();
    this.#legacy = loaded ? library : -1;
    return this.#legacy;
  }
}

function declareCalls(koffi: Koffi): Calls {
  const program = koffi.load(null);
  const calls: Partial<Calls> = {};
  for (const [name, [result, ...args]] of Object.entries(prototypes)) {
    calls[name as keyof Calls] = program.func(name, result, args) as Call;
  }
  return calls as Calls;
}
