/** Who stands on whom: `slaves` and `holders` of sysfs, kept as the devices change. */

import type { BlockDevice } from '../../core/device.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';

export class Relations {
  readonly #below = new Map<MappedDevice, ReadonlySet<BlockDevice>>();
  /** By the operand of the device below. */
  readonly #above = new Map<string, Set<MappedDevice>>();

  below(device: MappedDevice): Iterable<BlockDevice> {
    return this.#below.get(device) ?? [];
  }

  above(operand: string): Iterable<MappedDevice> {
    return this.#above.get(operand) ?? [];
  }

  isHeld(operand: string): boolean {
    return this.#above.has(operand);
  }

  /** Looks at the device's tables. Returns the operands whose holders are others now. */
  update(device: MappedDevice): string[] {
    // As the kernel links them: from the moment a table is loaded, live or not.
    const tables = [device.live, device.inactive];
    return this.#set(device, new Set(tables.flatMap((table) => table?.devices ?? [])));
  }

  remove(device: MappedDevice): string[] {
    const changed = this.#set(device, new Set());
    this.#below.delete(device);
    return changed;
  }

  #set(device: MappedDevice, below: ReadonlySet<BlockDevice>): string[] {
    const before = this.#below.get(device) ?? new Set<BlockDevice>();
    this.#below.set(device, below);
    const gone = [...before].filter((each) => !below.has(each)).map(({ operand }) => operand);
    const come = [...below].filter((each) => !before.has(each)).map(({ operand }) => operand);
    for (const operand of gone) this.#unhold(operand, device);
    for (const operand of come) this.#hold(operand, device);
    return [...gone, ...come];
  }

  #hold(operand: string, device: MappedDevice): void {
    const holders = this.#above.get(operand) ?? new Set();
    this.#above.set(operand, holders.add(device));
  }

  #unhold(operand: string, device: MappedDevice): void {
    const holders = this.#above.get(operand);
    holders?.delete(device);
    if (holders?.size === 0) this.#above.delete(operand);
  }
}
