/** Block ciphers that OpenSSL has not, as WASM kernels of ours. */

import { assert } from '../../base/assert.ts';
import { DmError } from '../../base/errors.ts';
import type { CipherEngine } from '../cipher-engine.ts';
import type { CipherMemory } from '../kernels/cipher-memory.ts';
import { loadKernel } from '../kernels/load-kernel.ts';
import type { BlockCipher, CipherType } from './block-cipher.ts';
import { type KnownAnswer, passesSelfCheck } from './self-check.ts';

/** What each of these kernels exports. */
interface CipherKernel {
  /** The schedule of the key that lies at its `keyOffsetBytes`, which is overwritten. */
  expandKey(scheduleAt: number, keyBytes: number): void;
  /** In place; `lengthBytes` is a multiple of the block, `at` of 4. */
  encrypt(scheduleAt: number, at: number, lengthBytes: number): void;
  decrypt(scheduleAt: number, at: number, lengthBytes: number): void;
}

export interface WasmCipher {
  /** The kernel's. */
  name: string;
  blockBytes: 8 | 16;
  keyLengthsBytes: readonly number[];
  wasmBase64: string;
  scheduleBytes: number;
  keyOffsetBytes: number;
  knownAnswers: readonly KnownAnswer[];
}

export function wasmCipher(cipher: WasmCipher): CipherType {
  const { name, blockBytes, keyLengthsBytes } = cipher;
  const kernels = new Map<CipherMemory, CipherKernel>();

  function loadChecked(engine: CipherEngine): CipherKernel {
    const kernel = loadKernel<CipherKernel>(cipher.wasmBase64, engine.memory);
    const create = (key: Uint8Array) => new KernelCipher(cipher, kernel, engine.memory, key);
    if (passesSelfCheck(create, cipher, engine)) return kernel;
    throw new DmError('EIO', `Cannot use the cipher ${name}: its WebAssembly gives wrong answers`);
  }

  return {
    name,
    blockBytes,
    keyLengthsBytes,
    create(key, engine) {
      const { memory } = engine;
      if (memory.wasm === null) {
        throw new DmError(
          'ENOENT',
          `Cannot use the cipher ${name}: Error allocating crypto tfm, it needs WebAssembly, which this Node runs without (--jitless)`,
        );
      }
      let kernel = kernels.get(memory);
      if (!kernel) {
        kernel = loadChecked(engine);
        kernels.set(memory, kernel);
      }
      return new KernelCipher(cipher, kernel, memory, key);
    },
  };
}

class KernelCipher implements BlockCipher {
  readonly #kernel: CipherKernel;
  readonly #memory: CipherMemory;
  readonly #scheduleBytes: number;
  /** 0 once closed. */
  #scheduleAt: number;

  constructor(cipher: WasmCipher, kernel: CipherKernel, memory: CipherMemory, key: Uint8Array) {
    this.#kernel = kernel;
    this.#memory = memory;
    this.#scheduleBytes = cipher.scheduleBytes;
    this.#scheduleAt = memory.allocate(cipher.scheduleBytes);
    memory.bytes.set(key, this.#scheduleAt + cipher.keyOffsetBytes);
    kernel.expandKey(this.#scheduleAt, key.byteLength);
  }

  encrypt(address: number, lengthBytes: number): void {
    this.#kernel.encrypt(this.#openSchedule(), address, lengthBytes);
  }

  decrypt(address: number, lengthBytes: number): void {
    this.#kernel.decrypt(this.#openSchedule(), address, lengthBytes);
  }

  close(): void {
    if (this.#scheduleAt !== 0) this.#memory.free(this.#scheduleAt, this.#scheduleBytes);
    this.#scheduleAt = 0;
  }

  #openSchedule(): number {
    assert(this.#scheduleAt !== 0, 'a cipher is not used after it was closed');
    return this.#scheduleAt;
  }
}
