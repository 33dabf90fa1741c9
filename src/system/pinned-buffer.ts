/**
 * Memory that system calls may read and write: it stays where it is for as long as the object lives.
 *
 * V8 keeps small typed arrays inside its moving heap until somebody asks for their `buffer`; asking once,
 * as the constructor does, moves the bytes out for good. The address is not here: only raw-calls.ts knows it.
 */
import { assert } from '../base/assert.ts';

export class PinnedBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly lengthBytes: number;

  private constructor(bytes: Uint8Array) {
    assert(bytes.byteLength > 0, 'a pinned buffer has at least one byte');
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.lengthBytes = bytes.byteLength;
  }

  /** New zeroed memory; `shared` memory can be posted to other threads, which `wrap` it there. */
  static allocate(lengthBytes: number, options?: { shared?: boolean }): PinnedBuffer {
    assert(Number.isSafeInteger(lengthBytes), 'the length of a pinned buffer is a whole number');
    const memory = options?.shared
      ? new SharedArrayBuffer(lengthBytes)
      : new ArrayBuffer(lengthBytes);
    return new PinnedBuffer(new Uint8Array(memory));
  }

  /** The same memory, not a copy. It must not be resized or transferred: a later call would refuse it. */
  static wrap(memory: Uint8Array | SharedArrayBuffer): PinnedBuffer {
    return new PinnedBuffer(memory instanceof Uint8Array ? memory : new Uint8Array(memory));
  }
}
