/**
 * Keys that programs would put into the kernel's keyring for dm-crypt (`:64:logon:cryptsetup:...` in a table): in memory only,
 * overwritten when they are replaced and when the keyring ends. Nothing here ever puts a payload into a message.
 */

import { DmError } from '../base/errors.ts';
import { Secret } from '../crypto/secret.ts';

/** More than any program has; a loop that adds keys must not fill the memory. */
const MAX_KEYS = 1024;
/** lmk has up to 65 keys of 32 bytes. */
const MAX_PAYLOAD_BYTES = 4096;
const MAX_DESCRIPTION_CHARS = 512;

/** What targets see of a keyring. */
export interface KeyFinder {
  /** The keyring's own; whoever keeps it copies it. */
  find(description: string): Secret | undefined;
}

/** The keyring for one table: it knows which keys that table has used, and no other. */
export interface KeyUser extends KeyFinder {
  /** What used them succeeded: those that were wanted once go. */
  forgetUsed(): void;
}

export const NO_KEYS: KeyUser = { find: () => undefined, forgetUsed: () => {} };

export interface KeyInfo {
  description: string;
  lengthBytes: number;
}

export class Keyring implements KeyFinder {
  /** By description; the oldest first. */
  readonly #payloads = new Map<string, Secret>();
  /** Keys that go once they were used. */
  readonly #once = new Set<string>();

  get size(): number {
    return this.#payloads.size;
  }

  /**
   * Keeps a copy. `once`: until a device has it, as a key of a program's own keyring goes with the program. Throws DmError: EINVAL for what the
   * kernel would not take as a logon key, EDQUOT when there are too many. What was there stays then.
   */
  add(description: string, payload: Uint8Array, { once = false } = {}): void {
    const isGood = /^[^:\s]+:\S+$/.test(description) && description.length <= MAX_DESCRIPTION_CHARS;
    if (!isGood) {
      const expected = `"PREFIX:NAME" of at most ${MAX_DESCRIPTION_CHARS} characters without white space`;
      throw new DmError('EINVAL', `Cannot add key: its description is not ${expected}`);
    }
    const { byteLength } = payload;
    if (byteLength === 0 || byteLength > MAX_PAYLOAD_BYTES) {
      const range = `1 to ${MAX_PAYLOAD_BYTES} bytes, got ${byteLength}`;
      throw new DmError('EINVAL', `Cannot add key "${description}": expected ${range}`);
    }
    if (this.#payloads.size >= MAX_KEYS && !this.#payloads.has(description)) {
      const hint = `there are ${MAX_KEYS} keys already; devmapper key list shows them, devmapper key remove makes room`;
      throw new DmError('EDQUOT', `Cannot add key "${description}": ${hint}`);
    }
    this.remove(description);
    this.#payloads.set(description, Secret.from(payload));
    if (once) this.#once.add(description);
  }

  find(description: string): Secret | undefined {
    return this.#payloads.get(description);
  }

  /** For one table: what another one uses meanwhile stays for that one. */
  createUser(): KeyUser {
    const used = new Map<string, Secret>();
    return {
      find: (description) => {
        const found = this.find(description);
        if (found && this.#once.has(description)) used.set(description, found);
        return found;
      },
      forgetUsed: () => {
        for (const [description, secret] of used) {
          // Another key may have come under that name.
          if (this.find(description) === secret) this.remove(description);
        }
        used.clear();
      },
    };
  }

  /** Sorted; payloads are nobody's to see. */
  list(): KeyInfo[] {
    return [...this.#payloads]
      .map(([description, { lengthBytes }]) => ({ description, lengthBytes }))
      .sort((one, other) => (one.description < other.description ? -1 : 1));
  }

  /** Overwrites the key; tables that were loaded with it keep theirs. False: there is none. */
  remove(description: string): boolean {
    this.#once.delete(description);
    this.#payloads.get(description)?.wipe();
    return this.#payloads.delete(description);
  }

  wipe(): void {
    for (const description of [...this.#payloads.keys()]) this.remove(description);
  }
}
