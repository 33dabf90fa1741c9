/**
 * Mapped devices by name, uuid and minor number.
 *
 * Invariants
 * - A device that is in it is found by its name, by its uuid if it has one, and by its minor number.
 * - A name, a uuid and a minor number belong to one device. A minor number stays taken until `freeMinor`, which may come
 *   after `remove`: a device on its way out still has its number.
 */

import { assert } from '../base/assert.ts';
import { DmError } from '../base/errors.ts';
import { FreeNumbers } from './free-numbers.ts';
import type { MappedDevice } from './mapped-device.ts';
import { compareNames } from './names.ts';

const MINOR_LIMIT = 1 << 20;

export class DeviceIndex {
  readonly #byName = new Map<string, MappedDevice>();
  readonly #byUuid = new Map<string, MappedDevice>();
  readonly #byMinor = new Map<number, MappedDevice>();
  readonly #minors = new FreeNumbers();
  /** Sorted by name; null: to be made anew. */
  #sorted: readonly MappedDevice[] | null = null;

  /** Sorted by name, byte by byte, as the kernel lists them. */
  list(): readonly MappedDevice[] {
    this.#sorted ??= [...this.#byName.values()].sort((a, b) => compareNames(a.name, b.name));
    return this.#sorted;
  }

  findName(name: string): MappedDevice | undefined {
    return this.#byName.get(name);
  }

  findUuid(uuid: string): MappedDevice | undefined {
    return this.#byUuid.get(uuid);
  }

  findMinor(minor: number): MappedDevice | undefined {
    return this.#byMinor.get(minor);
  }

  has(device: MappedDevice): boolean {
    return this.#byName.get(device.name) === device;
  }

  /** The number asked for, or else the lowest that is free. ENXIO is what the kernel answers when it cannot be had. */
  takeMinor(wanted?: number): number {
    const minor = wanted === undefined ? this.#lowestFree() : this.#checkMinor(wanted);
    this.#minors.take(minor);
    return minor;
  }

  #checkMinor(minor: number): number {
    if (!Number.isInteger(minor) || minor < 0 || minor >= MINOR_LIMIT) {
      throw new DmError(
        'EINVAL',
        `Cannot use minor number ${minor}: expected 0 to ${MINOR_LIMIT - 1}`,
      );
    }
    if (this.#minors.has(minor)) throw new DmError('ENXIO', `Minor number ${minor} is in use`);
    return minor;
  }

  #lowestFree(): number {
    const minor = this.#minors.lowest();
    if (minor < MINOR_LIMIT) return minor;
    throw new DmError('ENXIO', `All ${MINOR_LIMIT} minor numbers are in use`);
  }

  freeMinor(minor: number): void {
    this.#minors.release(minor);
  }

  add(device: MappedDevice): void {
    assert(!this.#byName.has(device.name), `the name ${device.name} is free`);
    assert(this.#minors.has(device.number.minor), 'the minor number was taken');
    this.#byName.set(device.name, device);
    if (device.uuid !== '') this.#byUuid.set(device.uuid, device);
    this.#byMinor.set(device.number.minor, device);
    this.#sorted = null;
  }

  /** Takes it out under every key but keeps its minor number from others. */
  remove(device: MappedDevice): void {
    assert(this.has(device), `${device.name} is there`);
    this.#byName.delete(device.name);
    if (device.uuid !== '') this.#byUuid.delete(device.uuid);
    this.#byMinor.delete(device.number.minor);
    this.#sorted = null;
  }

  rename(device: MappedDevice, name: string): void {
    assert(!this.#byName.has(name), `the name ${name} is free`);
    this.#byName.delete(device.name);
    device.name = name;
    this.#byName.set(name, device);
    this.#sorted = null;
  }

  setUuid(device: MappedDevice, uuid: string): void {
    assert(!this.#byUuid.has(uuid), `the uuid ${uuid} is free`);
    device.uuid = uuid;
    this.#byUuid.set(uuid, device);
  }
}
