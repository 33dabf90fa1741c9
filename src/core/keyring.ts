/**
 * Keys that programs would put into the kernel's keyring for dm-crypt (`:64:logon:cryptsetup:...` in a table): in memory only,
 * overwritten when they are replaced and when the keyring ends. Nothing here ever puts a payload into a message.
 */

import { DmError } from '../base/errors.ts';

/** More than any program has; a loop that adds keys must not fill the memory. */
const MAX_KEYS = 1024;
const MAX_PAYLOAD_BYTES = 1024;
const MAX_DESCRIPTION_CHARS = 512;

export class Keyring {
  /** By description; the oldest first. */
  readonly #payloads = new Map<string, Uint8Array>();

  get size(): number {
    return this.#payloads.size;
  }

  /** Keeps a copy. Throws DmError: EINVAL for what the kernel would not take as a logon key. */
  add(description: string, payload: Uint8Array): void {
    const isGood = /^[^:]+:./.test(description) && description.length <= MAX_DESCRIPTION_CHARS;
    if (!isGood) {
      const expected = `"PREFIX:NAME" of at most ${MAX_DESCRIPTION_CHARS} characters`;
      throw new DmError('EINVAL', `Cannot add key: its description is not ${expected}`);
    }
    const { byteLength } = payload;
    if (byteLength === 0 || byteLength > MAX_PAYLOAD_BYTES) {
      const range = `1 to ${MAX_PAYLOAD_BYTES} bytes, got ${byteLength}`;
      throw new DmError('EINVAL', `Cannot add key "${description}": expected ${range}`);
    }
    this.#remove(description);
    if (this.#payloads.size >= MAX_KEYS) this.#remove([...this.#payloads.keys()][0]!);
    this.#payloads.set(description, Uint8Array.from(payload));
  }

  /** The keyring's own bytes: whoever keeps them copies them, and overwrites the copy. */
  find(description: string): Uint8Array | undefined {
    return this.#payloads.get(description);
  }

  wipe(): void {
    for (const description of [...this.#payloads.keys()]) this.#remove(description);
  }

  #remove(description: string): void {
    this.#payloads.get(description)?.fill(0);
    this.#payloads.delete(description);
  }
}
