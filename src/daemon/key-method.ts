/**
 * `key-add {"description": string, "payload": string of hex digits}`: a logon key, as add_key(2) would give it to the kernel,
 * for tables that name it. `devmapper exec` sends what programs add. No method reads one back, and no message quotes one.
 */

import { DmError } from '../base/errors.ts';
import { Keyring } from '../core/keyring.ts';
import type { Daemon, DaemonService } from './daemon.ts';
import { type DaemonMethod, stringParam } from './methods.ts';

class KeyringService implements DaemonService {
  readonly name = 'keyring';
  readonly keyring = new Keyring();

  describe(): unknown {
    return { keyCount: this.keyring.size };
  }

  close(): Promise<void> {
    this.keyring.wipe();
    return Promise.resolve();
  }
}

/** The keys that programs gave this daemon. */
function keyringOf(daemon: Daemon): Keyring {
  let service = daemon.services.find((each) => each instanceof KeyringService);
  if (service === undefined) {
    service = new KeyringService();
    daemon.addService(service);
  }
  return service.keyring;
}

export const keyAddMethod: DaemonMethod = (params, { daemon }) => {
  const description = stringParam(params, 'description') ?? '';
  const digits: unknown = params['payload'];
  if (typeof digits !== 'string' || !/^([0-9a-f]{2})*$/i.test(digits)) {
    throw new DmError('EINVAL', 'Cannot add key: "payload" is not a string of hex digits');
  }
  const payload = Buffer.from(digits, 'hex');
  try {
    keyringOf(daemon).add(description, payload);
  } finally {
    payload.fill(0);
  }
  return {};
};
