/** The library: one device mapper of one's own, with the built-in targets and devices in place. */

import type { Clock } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';
import { createPrng } from '../base/prng.ts';
import { handleStatisticsMessage } from '../control/ioctl/statistics-messages.ts';
import { formatDeviceNumber } from '../core/device.ts';
import type { OpenedDevice } from '../core/device-opener.ts';
import type { SuspendOptions } from '../core/device-options.ts';
import type { KeyInfo } from '../core/keyring.ts';
import type { MappedDevice } from '../core/mapped-device.ts';
import { Mapper } from '../core/mapper.ts';
import type { IoCounts } from '../core/statistics.ts';
import { isSuspendedBelow } from '../core/suspended-below.ts';
import type { RowSpec, Table } from '../core/table.ts';
import { createTargetRegistry, type TargetType } from '../core/target.ts';
import { Secret } from '../crypto/secret.ts';
import { nbdKind } from '../devices/nbd/kind.ts';
import { DeviceStore, type OpenLeaf } from '../devices/store.ts';
import { targets as builtInTargets } from '../targets/index.ts';
import {
  joinedRows,
  rowsOf,
  type StatusRow,
  statusRows,
  type TableInput,
  tableRows,
} from './table-input.ts';
import { Volume } from './volume.ts';

export interface DeviceMapperOptions {
  /** Targets of one's own, beside the built-in ones; the same name replaces a built-in one. */
  targets?: readonly TargetType[];
  /** `false`: image files are used without the lock that keeps a second writer out. Default `true`. */
  lock?: boolean;
  /**
   * Told, in a sentence, when a remote disk is lost, comes back, or may have lost what was written, and what targets would say in a kernel's log:
   * that log-writes stopped logging, and why.
   */
  report?: (message: string) => void;
  /** Where a FUSE mount shows the devices: a path below it names one. */
  mountFolder?: string;
  /** Of the devices' numbers; default 252. One that no driver of this machine has, if nodes are made. */
  major?: number;
  /** Time, for simulations. */
  clock?: Clock;
  /** Of what targets do by chance (flakey): the same one does the same to the same requests. From 0 to 4294967295; default: another each time. */
  seed?: number;
}

export interface CreateOptions {
  name: string;
  uuid?: string;
  /** Loaded and made live at once; without it the device waits for `load` and `resume`. */
  table?: TableInput;
  /** Of `table`: nothing below is opened for writing. */
  readOnly?: boolean;
  /** Asks for this minor number; default: the lowest free one. */
  minor?: number;
}

export interface JoinOptions extends Omit<CreateOptions, 'table'> {
  /** As a table names them; white space needs no backslash here. */
  devices: readonly string[];
}

export interface DeviceInfo {
  name: string;
  uuid: string;
  major: number;
  minor: number;
  sizeSectors: number;
  readOnly: boolean;
  suspended: boolean;
  openCount: number;
  eventNumber: number;
  /** Goes as soon as the last opener closes it. */
  deferredRemove: boolean;
  liveTable: boolean;
  inactiveTable: boolean;
  targetCount: number;
}

export interface Dependency {
  /** `major:minor` */
  number: string;
  /** As a table names it: a path, URI or `major:minor`. */
  operand: string;
}

export interface TargetInfo {
  name: string;
  version: readonly [major: number, minor: number, patch: number];
  /** Arguments, e.g. `<device> <offset>`. */
  usage: string;
  summary: string;
}

/** Which of a device's two tables is meant. */
export interface TableChoice {
  /** The one that waits to become live. */
  inactive?: boolean;
}

/**
 * Mapped devices by name. Control goes through the mapper, data through the `Volume` that `open` gives.
 * Failures are `DmError`s: `code` is what the kernel would answer, `message` the reason.
 *
 * @example
 * ```ts
 * import { DeviceMapper } from 'devmapper';
 *
 * await using mapper = new DeviceMapper();
 * await mapper.create({
 *   name: 'both',
 *   table: ['0 2048 linear mem:1M 0', '2048 2048 zero'].join('\n'),
 * });
 * console.log(mapper.info('both').sizeSectors); // 4096
 * ```
 */
export class DeviceMapper implements AsyncDisposable {
  /** The engine below, for exports; most callers need the methods here. */
  readonly engine: Mapper;
  readonly #store: DeviceStore;

  constructor(options: DeviceMapperOptions = {}) {
    const own = options.targets ?? [];
    const names = new Set(own.map((type) => type.name));
    const types = [...builtInTargets.filter((type) => !names.has(type.name)), ...own];
    this.#store = new DeviceStore({
      lock: options.lock ?? true,
      kinds: [
        nbdKind({
          ...(options.clock && { clock: options.clock }),
          ...(options.report && { report: options.report }),
        }),
      ],
      ...(options.mountFolder !== undefined && { mountFolder: options.mountFolder }),
      ...(options.clock && { clock: options.clock }),
    });
    this.engine = new Mapper({
      registry: createTargetRegistry(types),
      opener: this.#store,
      ...(options.major !== undefined && { major: options.major }),
      ...(options.seed !== undefined && { prng: createPrng(options.seed) }),
      ...(options.report && { report: options.report }),
      ...(options.clock && { clock: options.clock }),
    });
  }

  /** The names of all devices, sorted. */
  list(): string[] {
    return this.engine.list().map((device) => device.name);
  }

  targets(): TargetInfo[] {
    return this.engine.registry
      .list()
      .map(({ name, version, usage, summary }) => ({ name, version, usage, summary }));
  }

  /** A new device; with a table it is live when this resolves, and when that fails there is no device. */
  async create(options: CreateOptions): Promise<DeviceInfo> {
    const { name, uuid, minor, table, readOnly } = options;
    const rows = table === undefined ? undefined : rowsOf(table);
    const device = this.engine.create({
      name,
      ...(uuid !== undefined && { uuid }),
      ...(minor !== undefined && { minor }),
    });
    try {
      if (rows) {
        await this.engine.load(device, rows, { readOnly: readOnly ?? false });
        await device.resume();
      }
      return describe(device);
    } catch (error) {
      await this.engine.remove(device);
      throw error;
    }
  }

  /** A new device that is other devices (operands: paths, URIs, `mem:SIZE` ...) one behind the other, each whole. */
  async join(options: JoinOptions): Promise<DeviceInfo> {
    const { devices, ...rest } = options;
    const readOnly = options.readOnly ?? false;
    const opened: OpenedDevice[] = [];
    try {
      for (const operand of devices) {
        await this.#store.prepare(operand);
        const next = this.#store.open(operand, { readOnly });
        opened.push(next);
        checkJoinable(operand, opened, next);
      }
      // Held open until the table has them too: closing in between would give up their locks.
      return await this.create({ ...rest, table: joinedRows(opened.map(({ device }) => device)) });
    } finally {
      for (const { release } of opened) release();
    }
  }

  /** Puts a table into the inactive slot; `resume` makes it live. */
  async load(name: string, table: TableInput, options: { readOnly?: boolean } = {}): Promise<void> {
    await this.engine.load(this.engine.get(name), rowsOf(table), options);
  }

  /** Drops the inactive table. */
  async clear(name: string): Promise<void> {
    await this.engine.get(name).clear();
  }

  /** Holds new requests back and resolves when none is under way. */
  async suspend(name: string, options: SuspendOptions = {}): Promise<void> {
    await this.engine.get(name).suspend(options);
  }

  /** Makes the inactive table live, if there is one, and lets requests run. */
  async resume(name: string): Promise<void> {
    await this.engine.get(name).resume();
  }

  /** Gives the device another name. */
  rename(name: string, newName: string): void {
    this.engine.rename(this.engine.get(name), newName);
  }

  /** Gives a uuid to a device that was created without one. */
  setUuid(name: string, uuid: string): void {
    this.engine.setUuid(this.engine.get(name), uuid);
  }

  /** EBUSY while somebody has it open, unless `deferred`: then it goes when the last one closes it. */
  async remove(name: string, options: { deferred?: boolean } = {}): Promise<void> {
    await this.engine.remove(this.engine.get(name), options);
  }

  /**
   * Sends words to the target that holds `sector` (default 0), or those of dm-statistics (`@stats_create` ...) to the device;
   * resolves with the answer, if there is one.
   */
  async message(
    name: string,
    words: readonly string[],
    options: { sector?: number } = {},
  ): Promise<string | undefined> {
    const device = this.engine.get(name);
    const statistics = handleStatisticsMessage(device, words);
    if (statistics !== undefined) return (await statistics) ?? undefined;
    return device.message(options.sector ?? 0, words);
  }

  /** Files, block nodes, memory and remote disks that tables have open now. */
  leaves(): OpenLeaf[] {
    return this.#store.list();
  }

  /** What each row's target says about itself. */
  status(name: string, choice: TableChoice = {}): StatusRow[] {
    const table = this.#table(name, choice);
    return table ? statusRows(table) : [];
  }

  /**
   * The rows, printed so that they load to an equal table; empty without a table. Keys are zeroes of their length unless
   * `showKeys`: strings stay in memory for as long as they like.
   */
  table(name: string, choice: TableChoice & { showKeys?: boolean } = {}): RowSpec[] {
    const table = this.#table(name, choice);
    return table ? tableRows(table, { showKeys: choice.showKeys ?? false }) : [];
  }

  /**
   * A key for tables that refer to one, `:64:logon:PREFIX:NAME`; replaces one of the same description. The mapper keeps a copy until it closes or
   * the key is removed, and each table one of its own.
   */
  addKey(description: string, key: Secret | Uint8Array): void {
    this.engine.keyring.add(description, key instanceof Secret ? key.bytes : key);
  }

  /** Overwrites the key; tables that were loaded with it go on with theirs. False: there was none. */
  removeKey(description: string): boolean {
    return this.engine.keyring.remove(description);
  }

  /** Which keys there are, and how long. */
  keys(): KeyInfo[] {
    return this.engine.keyring.list();
  }

  #table(name: string, choice: TableChoice): Table | null {
    const device = this.engine.get(name);
    return choice.inactive ? device.inactive : device.live;
  }

  info(name: string): DeviceInfo {
    return describe(this.engine.get(name));
  }

  /** The devices directly below. */
  deps(name: string, choice: TableChoice = {}): Dependency[] {
    const devices = this.#table(name, choice)?.devices ?? [];
    return devices.map(({ number, operand }) => ({ number: formatDeviceNumber(number), operand }));
  }

  /** What went through the device so far. */
  statistics(name: string): IoCounts {
    return this.engine.get(name).statistics();
  }

  /** Resolves with the event counter as soon as it is above `eventNumber`. */
  async waitEvent(
    name: string,
    eventNumber: number,
    options: { signal?: AbortSignal } = {},
  ): Promise<number> {
    return this.engine.get(name).waitEvent(eventNumber, options.signal);
  }

  /** Opens a device for I/O. It cannot be removed until the volume is closed. */
  open(name: string): Volume {
    const device = this.engine.get(name);
    const { release } = this.engine.open(device);
    return new Volume({ name: () => device.name, device, release });
  }

  /** Makes durable what was written to any device. Suspended devices, and those that stand on one, are left out: it would wait for their resume. */
  async flush(): Promise<void> {
    const runs = this.engine.list().filter((device) => device.live && !isSuspendedBelow(device));
    await Promise.all(runs.map((device) => this.#flushDevice(device.name)));
  }

  async #flushDevice(name: string): Promise<void> {
    await using volume = this.open(name);
    await volume.flush();
  }

  /** Flushes and removes every device. EBUSY, and the rest stays, when somebody still has one open. */
  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#removeAll();
      this.engine.keyring.wipe();
    }
  }

  async #removeAll(): Promise<void> {
    await this.engine.removeAll();
    const left = this.list();
    if (left.length > 0) {
      throw new DmError('EBUSY', `Cannot close the device mapper: still open: ${left.join(', ')}`);
    }
    await this.#store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** What has no sectors adds nothing, and a disk that is there twice would show each write in two places. */
function checkJoinable(operand: string, opened: readonly OpenedDevice[], next: OpenedDevice): void {
  if (next.device.sizeSectors === 0) {
    const advice = 'give it a size with "truncate -s 1G FILE"';
    throw new DmError(
      'EINVAL',
      `Cannot join "${operand}": it is empty (no whole sector); ${advice}`,
    );
  }
  if (opened.some((other) => other !== next && other.device === next.device)) {
    throw new DmError(
      'EINVAL',
      `Cannot join "${operand}" with itself: both parts would be one disk`,
    );
  }
}

function describe(device: MappedDevice): DeviceInfo {
  return {
    name: device.name,
    uuid: device.uuid,
    major: device.number.major,
    minor: device.number.minor,
    sizeSectors: device.sizeSectors,
    readOnly: device.readOnly,
    suspended: device.suspended,
    openCount: device.openCount,
    eventNumber: device.eventNumber,
    deferredRemove: device.deferredRemove,
    liveTable: device.live !== null,
    inactiveTable: device.inactive !== null,
    targetCount: device.live?.rows.length ?? 0,
  };
}
