/** The origins that tables of one mapper name: `environment.shared(Origins)`. */

import { type BlockDevice, formatDeviceNumber } from '../../core/device.ts';
import type { TargetMemory } from '../../core/target-memory.ts';
import { Origin } from './origin.ts';

export class Origins {
  readonly #byNumber = new Map<string, Origin>();

  /** One for each device, whatever it is called; until everybody gave it back. */
  use(device: BlockDevice, memory: TargetMemory): Origin {
    const number = formatDeviceNumber(device.number);
    const known = this.#byNumber.get(number);
    const origin = known ?? new Origin(memory);
    if (known === undefined) this.#byNumber.set(number, origin);
    origin.userCount += 1;
    return origin;
  }

  giveBack(device: BlockDevice, origin: Origin): void {
    origin.userCount -= 1;
    if (origin.userCount > 0) return;
    origin.copier.close();
    this.#byNumber.delete(formatDeviceNumber(device.number));
  }
}
