/** From one power failure to the next: a mapper over the disks as they are seen meanwhile, and the volumes that were made on it. */

import type { Clock } from '../../base/clock.ts';
import { DmError } from '../../base/errors.ts';
import type { Prng } from '../../base/prng.ts';
import type { BlockDevice } from '../../core/device.ts';
import type { OpenedDevice } from '../../core/device-opener.ts';
import { Mapper } from '../../core/mapper.ts';
import { createTargetRegistry, type TargetType } from '../../core/target.ts';
import type { Volume } from './volume.ts';

export interface BootOptions {
  readonly types: readonly TargetType[];
  readonly clock: Clock;
  readonly prng: Prng;
  /** By the operands of tables. `isDark`: the power failed under this boot. */
  openDisks(isDark: () => boolean): ReadonlyMap<string, BlockDevice>;
}

export class Boot {
  readonly mapper: Mapper;
  readonly volumes = new Map<string, Volume>();
  isOver = false;
  openCount = 0;
  /** On their way out: what they stand on is still theirs. */
  readonly #leaving = new Map<Volume, Promise<unknown>>();
  readonly #disks: ReadonlyMap<string, BlockDevice>;

  constructor({ types, clock, prng, openDisks }: BootOptions) {
    this.#disks = openDisks(() => this.isOver);
    const opener = {
      prepare: async () => undefined,
      open: (operand: string) => this.#open(operand),
    };
    this.mapper = new Mapper({ registry: createTargetRegistry(types), opener, clock, prng });
    this.mapper.observe({ changed: ({ name }) => this.volumes.get(name)?.look() });
  }

  #open(operand: string): OpenedDevice {
    const device = this.#disks.get(operand);
    if (!device) throw new DmError('ENOENT', `No such device: "${operand}"`);
    this.openCount += 1;
    return {
      device,
      release: () => {
        this.openCount -= 1;
      },
    };
  }

  /** Also those on their way out. */
  get all(): readonly Volume[] {
    return [...this.volumes.values(), ...this.#leaving.keys()];
  }

  async remove(volume: Volume): Promise<void> {
    volume.isRemoved = true;
    this.volumes.delete(volume.name);
    const removal = this.mapper.remove(volume.device).finally(() => this.#leaving.delete(volume));
    this.#leaving.set(volume, removal);
    await removal;
  }

  /** Removes everything, as `dmsetup remove --force`: a table that fails everything lets all that waits end. */
  async wipe(): Promise<void> {
    const { mapper } = this;
    const removals = Promise.allSettled(this.#leaving.values());
    const wipeOne = async ({ device, live, idle }: Volume) => {
      if (live !== null) {
        const length = live.sizeSectors;
        await mapper.load(device, [{ start: 0, length, type: 'error', params: '' }]);
        await device.resume();
      }
      await idle;
    };
    await Promise.all([...this.volumes.values()].map(wipeOne));
    await removals;
    await mapper.removeAll();
  }
}
