/**
 * The device mapper: every mapped device by name, uuid and number, and what keeps them consistent — open counts,
 * deferred removal, the dependency tree, refusal of loops. One instance is one "kernel".
 */

import { type Clock, systemClock } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';
import type { Prng } from '../base/prng.ts';
import { type BlockDevice, type DeviceNumber, formatDeviceNumber } from './device.ts';
import { DeviceIndex } from './device-index.ts';
import type { DeviceOpener, MappedReference, OpenedDevice } from './device-opener.ts';
import type { DeviceWatcher, MappedDeviceOptions } from './device-options.ts';
import { EventCounter } from './event-counter.ts';
import { Keyring } from './keyring.ts';
import { MappedDevice } from './mapped-device.ts';
import { type MapperListener, MapperListeners } from './mapper-listener.ts';
import { checkName, checkUuid } from './names.ts';
import { wholePages } from './read-ahead.ts';
import { SharedOpens } from './shared-opens.ts';
import { type RowSpec, Table } from './table.ts';
import type { TargetRegistry } from './target.ts';
import { createEnvironment, type TargetEnvironment } from './target-environment.ts';

/** The major number of mapped devices: 252 is free on common kernels, so their nodes never meet a real driver. */
export const MAPPED_MAJOR = 252;

export interface MapperOptions {
  registry: TargetRegistry;
  /** Opens everything but mapped devices. */
  opener: DeviceOpener;
  clock?: Clock;
  /** What targets do by chance follows it; default: another seed each time. */
  prng?: Prng;
  /** Told what targets have to say; default: nobody. */
  report?: (message: string) => void;
  /** Of the mapped devices' numbers; one that no driver of this machine has. */
  major?: number;
}

export interface LoadOptions {
  readOnly?: boolean;
  /** Relative paths in the table are relative to it; '' refuses them. Default: the process's own. */
  directory?: string;
}

/** A table on its way to a device: what it opened so far must not become a loop either. */
interface Loading {
  owner: MappedDevice;
  below: MappedDevice[];
  directory: string | undefined;
}

export class Mapper {
  readonly registry: TargetRegistry;
  /** Keys that tables name instead of holding them. */
  readonly keyring = new Keyring();
  readonly #opener: DeviceOpener;
  readonly #environment: TargetEnvironment;
  readonly #clock: Clock;
  readonly #report: (message: string) => void;
  readonly major: number;
  readonly #index = new DeviceIndex();
  readonly #loadings = new Set<Loading>();
  readonly #claimed = new Set<MappedDevice>();
  readonly #opens = new SharedOpens();
  readonly #globalEvents = new EventCounter();
  readonly #listeners = new MapperListeners();
  readonly #watcher: DeviceWatcher = {
    changed: (device) => this.#listeners.changed(device),
    globalEvent: () => this.#globalEvents.raise(),
  };

  constructor(options: MapperOptions) {
    this.registry = options.registry;
    this.#opener = options.opener;
    this.#clock = options.clock ?? systemClock;
    this.#environment = createEnvironment({ clock: this.#clock, prng: options.prng });
    this.#report = options.report ?? (() => undefined);
    this.major = options.major ?? MAPPED_MAJOR;
  }

  /** Calls back at each change from now on; returns the function that ends it. */
  observe(listener: MapperListener): () => void {
    return this.#listeners.add(listener);
  }

  /** Raised by whatever poll on the control node reports: devices come, go and are renamed, tables swapped, events. */
  get globalEventNumber(): number {
    return this.#globalEvents.number;
  }

  /** Resolves as soon as the global event number is above `above`; rejects when `signal` aborts. */
  async waitGlobalEvent(above: number, signal?: AbortSignal): Promise<number> {
    await this.#globalEvents.waitUntil(() => this.globalEventNumber > above, signal);
    return this.globalEventNumber;
  }

  /** Sorted by name, byte by byte, as the kernel lists them. */
  list(): readonly MappedDevice[] {
    return this.#index.list();
  }

  find(name: string): MappedDevice | undefined {
    return this.#index.findName(name);
  }

  findUuid(uuid: string): MappedDevice | undefined {
    return this.#index.findUuid(uuid);
  }

  findNumber({ major, minor }: DeviceNumber): MappedDevice | undefined {
    return major === this.major ? this.#index.findMinor(minor) : undefined;
  }

  /** Throws ENXIO, as every ioctl does for a name that is not there. */
  get(name: string): MappedDevice {
    const device = this.find(name);
    if (!device) throw new DmError('ENXIO', `Device ${name} does not exist`);
    return device;
  }

  /** A new device without a table. `minor` asks for that number; the lowest free one otherwise. */
  create(options: {
    name: string;
    uuid?: string;
    minor?: number;
    statistics?: MappedDeviceOptions['statistics'];
  }): MappedDevice {
    const { name, uuid = '', statistics } = options;
    checkName(name);
    checkUuid(uuid);
    const minor = this.#index.takeMinor(options.minor);
    const holder = this.find(name) ?? this.findUuid(uuid);
    if (holder) {
      this.#index.freeMinor(minor);
      const taken = holder.name === name ? 'name' : `uuid "${uuid}"`;
      throw new DmError('EBUSY', `Cannot create ${name}: the ${taken} is in use`);
    }
    const device = new MappedDevice({
      name,
      uuid,
      number: { major: this.major, minor },
      clock: this.#clock,
      watcher: this.#watcher,
      ...(statistics && { statistics }),
    });
    this.#index.add(device);
    this.#globalEvents.raise();
    this.#listeners.created(device);
    return device;
  }

  /** As BLKRASET: whole pages, until another table is live. */
  setReadAhead(device: MappedDevice, sectors: number): void {
    if (device.live === null) return;
    device.live.readAheadSectors = wholePages(sectors);
    this.#listeners.changed(device);
  }

  /** Loads a table into the device's inactive slot. On failure nothing has changed. */
  async load(
    device: MappedDevice,
    rows: Iterable<RowSpec>,
    options: LoadOptions = {},
  ): Promise<Table> {
    const loading: Loading = { owner: device, below: [], directory: options.directory };
    this.#loadings.add(loading);
    try {
      const table = await Table.load(rows, {
        registry: this.registry,
        opener: this.#openerFor(loading),
        readOnly: options.readOnly ?? false,
        directory: options.directory,
        onEvent: () => device.event(),
        onReport: (message) => this.#report(`${device.name}: ${message}`),
        renewCopies: () => device.renewBypasses(),
        environment: this.#environment,
        keyring: this.keyring.createUser(),
      });
      await loadOrClose(device, table);
      table.keyring.forgetUsed();
      return table;
    } finally {
      this.#loadings.delete(loading);
    }
  }

  /** Opens mapped devices here and passes everything else on; refuses a device that stands on the table's own. */
  #openerFor({ owner, below, directory }: Loading): DeviceOpener {
    return {
      prepare: (operand) => this.#opener.prepare(operand),
      open: (operand, mode) => {
        const device = this.#resolve(operand, directory);
        if (device === undefined) return this.#opener.open(operand, mode);
        if (this.standsOn(device, owner)) {
          throw new DmError(
            'EINVAL',
            `Cannot use ${device.name} below ${owner.name}: a device cannot stand on itself`,
          );
        }
        if (this.#claimed.has(device)) {
          throw new DmError(
            'EBUSY',
            `Cannot use ${device.name} below ${owner.name}: somebody has it open exclusively`,
          );
        }
        below.push(device);
        return this.#opens.open(owner, device, mode.readOnly, () => this.open(device));
      },
    };
  }

  /** `252:minor`, a path that leads to a device of ours, `mapper/NAME` or `/dev/mapper/NAME`. */
  #resolve(operand: string, directory: string | undefined): MappedDevice | undefined {
    const number = /^(\d+):(\d+)$/.exec(operand);
    if (number) return this.#resolveNumber({ major: Number(number[1]), minor: Number(number[2]) });
    const reference = this.#opener.findMapped?.(operand, directory);
    const node = reference && this.#numberOf(reference);
    if (node?.major === this.major) return this.#resolveNumber(node);
    const mounted = reference && 'name' in reference ? reference.name : undefined;
    const name = mounted ?? /^(?:\/dev\/)?mapper\/(.+)$/.exec(operand)?.[1];
    if (name === undefined) return undefined;
    const device = this.find(name);
    if (!device && (mounted !== undefined || !operand.startsWith('/')))
      throw new DmError('ENOENT', `No mapped device is named "${name}"`);
    return device;
  }

  #numberOf(reference: MappedReference): DeviceNumber | undefined {
    if ('number' in reference) return reference.number;
    return 'minor' in reference ? { major: this.major, minor: reference.minor } : undefined;
  }

  #resolveNumber(number: DeviceNumber): MappedDevice | undefined {
    if (number.major !== this.major) return undefined;
    const device = this.findNumber(number);
    if (device) return device;
    const text = formatDeviceNumber(number);
    throw new DmError('ENXIO', `No mapped device has the number ${text}`);
  }

  /** Whether `device` is `base` or reaches it through tables: live, inactive or being loaded. */
  standsOn(device: BlockDevice, base: MappedDevice): boolean {
    const seen = new Set<BlockDevice>();
    const pending: BlockDevice[] = [device];
    for (let next = pending.pop(); next; next = pending.pop()) {
      if (next === base) return true;
      if (!(next instanceof MappedDevice) || seen.has(next)) continue;
      seen.add(next);
      pending.push(...(next.live?.devices ?? []), ...(next.inactive?.devices ?? []));
      for (const { owner, below } of this.#loadings) if (owner === next) pending.push(...below);
    }
    return false;
  }

  /** Counts an opener in; `release` counts it out and ends a deferred removal. */
  open(device: MappedDevice): OpenedDevice {
    this.#checkPresent(device);
    device.openCount += 1;
    let open = true;
    return {
      device,
      release: () => {
        if (!open) return;
        open = false;
        device.openCount -= 1;
        if (device.openCount === 0 && device.deferredRemove) this.#removeUnwatched(device);
      },
    };
  }

  /**
   * Keeps others from claiming the device and tables from standing on it, as who opens a block device with O_EXCL does; the
   * result gives it back. EBUSY when it is claimed or a table stands on it.
   */
  claim(device: MappedDevice): () => void {
    const isBelow = this.list().some(({ live, inactive }) =>
      [live, inactive].some((table) => table?.devices.includes(device)),
    );
    const isLoaded = [...this.#loadings].some(({ below }) => below.includes(device));
    if (isBelow || isLoaded || this.#claimed.has(device))
      throw new DmError('EBUSY', `Cannot claim ${device.name}: it is in use`);
    this.#claimed.add(device);
    return () => this.#claimed.delete(device);
  }

  #checkPresent(device: MappedDevice): void {
    if (!this.#index.has(device))
      throw new DmError('ENXIO', `Device ${device.name} does not exist`);
  }

  /** EBUSY while somebody has it open, unless `deferred`: then it goes with its last opener. Whether it is gone. */
  async remove(device: MappedDevice, options: { deferred?: boolean } = {}): Promise<boolean> {
    this.#checkPresent(device);
    if (device.openCount > 0) {
      if (!options.deferred) {
        throw new DmError(
          'EBUSY',
          `Cannot remove ${device.name}: it is open ${device.openCount} times`,
        );
      }
      device.deferredRemove = true;
      return false;
    }
    await this.#remove(device);
    return true;
  }

  async #remove(device: MappedDevice): Promise<void> {
    if (!this.#index.has(device)) return;
    this.#index.remove(device);
    this.#globalEvents.raise();
    this.#listeners.removed(device);
    try {
      await device.destroy();
    } finally {
      this.#index.freeMinor(device.number.minor);
    }
  }

  /** The removal that its last opener sets off: the device is gone whatever closing its tables says, and nobody asks. */
  #removeUnwatched(device: MappedDevice): void {
    this.#remove(device).catch(() => undefined);
  }

  /** Removes every device nobody has open, top of the stacks first, until none is left that can go. */
  async removeAll(options: { deferred?: boolean } = {}): Promise<void> {
    for (let removed = true; removed; ) {
      removed = false;
      for (const device of this.list()) {
        if (device.openCount > 0 || !this.#index.has(device)) continue;
        await this.#remove(device);
        removed = true;
      }
    }
    if (options.deferred) for (const device of this.list()) device.deferredRemove = true;
  }

  rename(device: MappedDevice, name: string): void {
    checkName(name);
    if (this.find(name))
      throw new DmError('EBUSY', `Cannot rename ${device.name} to ${name}: the name is in use`);
    this.#checkPresent(device);
    const oldName = device.name;
    this.#index.rename(device, name);
    this.#globalEvents.raise();
    this.#listeners.renamed(device, oldName);
    if (device.live) device.event();
  }

  /** Once only: a uuid that is set stays. */
  setUuid(device: MappedDevice, uuid: string): void {
    checkUuid(uuid);
    if (uuid === '') throw new DmError('EINVAL', 'Cannot set an empty uuid');
    if (this.findUuid(uuid)) throw new DmError('EBUSY', `The uuid "${uuid}" is in use`);
    this.#checkPresent(device);
    if (device.uuid !== '') {
      throw new DmError(
        'EINVAL',
        `Unable to change uuid of mapped device ${device.name} to ${uuid} because uuid is already set to ${device.uuid}`,
      );
    }
    this.#index.setUuid(device, uuid);
    this.#globalEvents.raise();
    this.#listeners.changed(device);
    if (device.live) device.event();
  }
}

async function loadOrClose(device: MappedDevice, table: Table): Promise<void> {
  try {
    await device.load(table);
  } catch (error) {
    await table.close();
    throw error;
  }
}

/** For messages and `deps`: who stands directly below. */
export function dependencies(device: MappedDevice, options: { inactive?: boolean } = {}): string[] {
  const table = options.inactive ? device.inactive : device.live;
  return (table?.devices ?? []).map((below) => formatDeviceNumber(below.number));
}
