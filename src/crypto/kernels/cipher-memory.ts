/**
 * The memory that everything in `src/crypto` works in: WASM kernels see it as theirs, EVP and Node as pinned bytes. One per thread, since all work
 * on it is synchronous: the scratch stays in the processor's cache whatever cipher comes next. Without WASM it is plain shared memory.
 *
 * Layout: the scratch regions of fixed size first, then what `allocate` gave (key schedules of the kernels' ciphers).
 */

import { assert } from '../../base/assert.ts';
import { PinnedBuffer } from '../../system/pinned-buffer.ts';
import { type WasmMemory, webAssembly } from './web-assembly.ts';

const PAGE_BYTES = 65_536;
const ALIGN_BYTES = 64;
const MAX_PAGES = 4096;

/** Of one run: as much as stays in the processor's second-level cache together with what else is touched. */
export const RUN_BYTES = 65_536;
/** Address 0 stays free, so that none is ever mistaken for `null`. */
const DATA_AT = PAGE_BYTES;
const SPARE_AT = DATA_AT + RUN_BYTES + PAGE_BYTES / 2;
const IVS_AT = SPARE_AT + RUN_BYTES + PAGE_BYTES / 2;
const ALLOCATED_AT = IVS_AT + PAGE_BYTES;

export class CipherMemory {
  readonly wasm: WasmMemory | null;
  /** The sectors of a run. */
  readonly dataAt = DATA_AT;
  /** A second copy of them, or whatever else the mode needs of that size. */
  readonly spareAt = SPARE_AT;
  /** The IVs of a run: 16 bytes for each 512-byte sector. */
  readonly ivsAt = IVS_AT;
  /** The scratch regions; these bytes never move. */
  readonly scratch: PinnedBuffer;
  /** The same, as 32-bit words. */
  readonly words: Int32Array;
  readonly #freed = new Map<number, number[]>();
  #bytes: Uint8Array;
  #end = ALLOCATED_AT;

  constructor() {
    const pages = ALLOCATED_AT / PAGE_BYTES + 1;
    this.wasm = webAssembly
      ? new webAssembly.Memory({ initial: pages, maximum: MAX_PAGES, shared: true })
      : null;
    const buffer =
      this.wasm?.buffer ??
      new SharedArrayBuffer(pages * PAGE_BYTES, { maxByteLength: MAX_PAGES * PAGE_BYTES });
    this.#bytes = new Uint8Array(buffer);
    this.scratch = PinnedBuffer.wrap(new Uint8Array(buffer, 0, ALLOCATED_AT));
    this.words = new Int32Array(buffer, 0, ALLOCATED_AT / 4);
  }

  /** All of it; another view after `allocate` had to grow it, so do not keep it. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The address of `lengthBytes` zeros, aligned for SIMD. */
  allocate(lengthBytes: number): number {
    assert(Number.isSafeInteger(lengthBytes) && lengthBytes > 0, 'memory has a length');
    const sizeBytes = roundUp(lengthBytes);
    const freed = this.#freed.get(sizeBytes)?.pop();
    if (freed !== undefined) return freed;
    const address = this.#end;
    const missingBytes = address + sizeBytes - this.#bytes.byteLength;
    if (missingBytes > 0) this.#grow(Math.ceil(missingBytes / PAGE_BYTES));
    this.#end += sizeBytes;
    return address;
  }

  /** Gives back and overwrites. */
  free(address: number, lengthBytes: number): void {
    const sizeBytes = roundUp(lengthBytes);
    assert(
      address >= ALLOCATED_AT && address + sizeBytes <= this.#end,
      'what is freed was allocated',
    );
    this.#bytes.fill(0, address, address + sizeBytes);
    const list = this.#freed.get(sizeBytes);
    if (list) list.push(address);
    else this.#freed.set(sizeBytes, [address]);
  }

  /** Overwrites what was worked on last. */
  wipeScratch(): void {
    this.words.fill(0);
  }

  #grow(pages: number): void {
    if (this.wasm) {
      this.wasm.grow(pages);
      this.#bytes = new Uint8Array(this.wasm.buffer);
      return;
    }
    const buffer = this.scratch.bytes.buffer as SharedArrayBuffer;
    buffer.grow(buffer.byteLength + pages * PAGE_BYTES);
    this.#bytes = new Uint8Array(buffer);
  }
}

function roundUp(lengthBytes: number): number {
  return Math.ceil(lengthBytes / ALIGN_BYTES) * ALIGN_BYTES;
}
