/**
 * Bytes that must not be seen: passphrases, keys. They live outside V8's moving heap, so that wiping them wipes the only copy, and never
 * appear in what is printed, logged or turned into JSON.
 */

import { inspect } from 'node:util';
import { assert } from '../base/assert.ts';

export class Secret implements Disposable {
  readonly #memory: SharedArrayBuffer;
  #bytes: Uint8Array;

  private constructor(memory: SharedArrayBuffer) {
    this.#memory = memory;
    this.#bytes = new Uint8Array(memory);
  }

  /** `lengthBytes` zeros, to be filled through `bytes`. */
  static allocate(lengthBytes: number): Secret {
    return new Secret(new SharedArrayBuffer(lengthBytes));
  }

  /** A copy; the caller wipes the original, or asks for that with `wipeSource`. */
  static from(source: Uint8Array, options: { wipeSource?: boolean } = {}): Secret {
    const secret = Secret.allocate(source.byteLength);
    secret.bytes.set(source);
    if (options.wipeSource) source.fill(0);
    return secret;
  }

  /** The same memory, posted by another thread: whoever wipes it wipes it for both. */
  static share(memory: SharedArrayBuffer): Secret {
    return new Secret(memory);
  }

  get lengthBytes(): number {
    return this.#bytes.byteLength;
  }

  /** The bytes themselves, not a copy; whoever copies them wipes the copy. */
  get bytes(): Uint8Array {
    assert(!this.isWiped, 'a secret is not used after it was wiped');
    return this.#bytes;
  }

  /** To post to another thread. */
  get memory(): SharedArrayBuffer {
    return this.#memory;
  }

  get isWiped(): boolean {
    return this.#bytes.byteLength === 0 && this.#memory.byteLength > 0;
  }

  /** Overwrites the bytes; may be called again. */
  wipe(): void {
    this.#bytes.fill(0);
    this.#bytes = new Uint8Array(0);
  }

  [Symbol.dispose](): void {
    this.wipe();
  }

  toString(): string {
    return '<secret>';
  }

  toJSON(): string {
    return '<secret>';
  }

  [inspect.custom](): string {
    return '<secret>';
  }
}
