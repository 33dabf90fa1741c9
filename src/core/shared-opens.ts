/**
 * Mapped devices that tables have open. All tables of one device that use the same device in the same mode share one
 * opening, as in the kernel: while a table waits to replace another, open counts below do not rise.
 */

import type { OpenedDevice } from './device-opener.ts';
import type { MappedDevice } from './mapped-device.ts';

interface SharedOpen {
  opened: OpenedDevice;
  userCount: number;
}

export class SharedOpens {
  readonly #byOwner = new WeakMap<MappedDevice, Map<string, SharedOpen>>();

  /** `openFirst` is called for the first user only. */
  open(
    owner: MappedDevice,
    below: MappedDevice,
    readOnly: boolean,
    openFirst: () => OpenedDevice,
  ): OpenedDevice {
    const opens = this.#opensOf(owner);
    const key = `${below.number.minor} ${readOnly}`;
    const shared = opens.get(key) ?? { opened: openFirst(), userCount: 0 };
    opens.set(key, shared);
    shared.userCount += 1;
    let isOpen = true;
    return {
      device: below,
      release: () => {
        if (!isOpen) return;
        isOpen = false;
        shared.userCount -= 1;
        if (shared.userCount > 0) return;
        opens.delete(key);
        shared.opened.release();
      },
    };
  }

  #opensOf(owner: MappedDevice): Map<string, SharedOpen> {
    const known = this.#byOwner.get(owner);
    if (known) return known;
    const opens = new Map<string, SharedOpen>();
    this.#byOwner.set(owner, opens);
    return opens;
  }
}
