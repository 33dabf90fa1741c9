/**
 * The keys that tables of this daemon may refer to. No method reads one back, and no message quotes one.
 *
 * - `key-add {"description": string, "payload": string of hex digits, "once"?: boolean}`: as add_key(2) gives a logon key to the kernel; with `once`
 *   until a table or message has used it, as the key of a program's own keyring goes with the program
 * - `key-list`: `[{"description", "lengthBytes"}]`
 * - `key-remove {"description": string}`: overwrites it; devices that have it go on. ENOKEY when there is none
 */

import { DmError } from '../base/errors.ts';
import { readHex } from '../base/hex.ts';
import type { KeyInfo } from '../core/keyring.ts';
import type { Daemon, DaemonService } from './daemon.ts';
import { booleanParam, type DaemonMethod, type DaemonParams, stringParam } from './methods.ts';

/** For `status`; the keyring is the mapper's and ends with it. */
class KeyringService implements DaemonService {
  readonly name = 'keyring';
  readonly #daemon: Daemon;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  describe(): unknown {
    return { keyCount: keyringOf(this.#daemon).size };
  }

  close(): Promise<void> {
    keyringOf(this.#daemon).wipe();
    return Promise.resolve();
  }
}

function keyringOf({ mapper }: Daemon) {
  return mapper.engine.keyring;
}

function showInStatus(daemon: Daemon): void {
  const isShown = daemon.services.some((each) => each instanceof KeyringService);
  if (!isShown) daemon.addService(new KeyringService(daemon));
}

function descriptionParam(params: DaemonParams): string {
  return stringParam(params, 'description') ?? '';
}

export const keyAddMethod: DaemonMethod = (params, { daemon, payload }) => {
  const key = payload && decodeHex(payload.bytes);
  if (key === null || stringParam(params, 'payload') === undefined) {
    throw new DmError('EINVAL', 'Cannot add key: "payload" is not a string of hex digits');
  }
  try {
    const once = booleanParam(params, 'once');
    keyringOf(daemon).add(descriptionParam(params), key, { once });
    showInStatus(daemon);
  } finally {
    key.fill(0);
  }
  return {};
};

export const keyListMethod: DaemonMethod = (_, { daemon }): KeyInfo[] => keyringOf(daemon).list();

export const keyRemoveMethod: DaemonMethod = (params, { daemon }) => {
  const description = descriptionParam(params);
  if (!keyringOf(daemon).remove(description)) {
    throw new DmError('ENOKEY', `Cannot remove key "${description}": there is none of that name`);
  }
  return {};
};

/** null for what is not hex. The caller wipes it. */
function decodeHex(digits: Uint8Array): Uint8Array | null {
  if (digits.length % 2 !== 0) return null;
  const bytes = new Uint8Array(digits.length / 2);
  return readHex(digits, bytes) ? bytes : null;
}
