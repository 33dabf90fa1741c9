/** Where pinned memory lies, and the checks before every call that gets an address. Only files of this folder named `raw-*` may use it. */
import { assert } from '../base/assert.ts';
import type { Koffi } from './natives.ts';
import type { PinnedBuffer } from './pinned-buffer.ts';

export function checkCount(value: number): void {
  assert(
    Number.isSafeInteger(value) && value >= 0,
    'a length or file offset is a whole number from 0',
  );
}

/** `byteLength` and not `lengthBytes`: a transferred or shrunk buffer shows only there. */
export function checkSpan(buffer: PinnedBuffer, offsetBytes: number, lengthBytes: number): void {
  checkCount(offsetBytes);
  checkCount(lengthBytes);
  assert(
    offsetBytes + lengthBytes <= buffer.bytes.byteLength,
    'a system call stays inside its buffer',
  );
}

/**
 * Arguments travel as numbers (`uintptr_t` rather than `void *`): user addresses are below 2^56 on both machines
 * and in practice below 2^47, so a double holds them exactly; `of` asserts it.
 */
export class Addresses {
  readonly #koffi: Koffi;
  readonly #known = new WeakMap<PinnedBuffer, number>();

  constructor(koffi: Koffi) {
    this.#koffi = koffi;
  }

  of(buffer: PinnedBuffer): number {
    const known = this.#known.get(buffer);
    if (known !== undefined) return known;
    const address = Number(this.#koffi.address(buffer.bytes));
    assert(Number.isSafeInteger(address) && address > 0, 'an address fits a number');
    this.#known.set(buffer, address);
    return address;
  }
}
