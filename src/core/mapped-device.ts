/**
 * A mapped device: a live table that maps bios, an inactive one waiting to replace it, suspend and resume between them.
 *
 * Invariants
 * - A bio that arrives is either mapped by the live table of that moment or queued; it ends exactly once.
 * - While `#blocked`, no bio reaches a table; `#inFlightCount` counts those mapped and not ended.
 * - The table is only swapped when blocked and nothing is in flight, here or in any bypass.
 */

import type { Clock } from '../base/clock.ts';
import { DmError, Errno } from '../base/errors.ts';
import { type Bio, Op } from './bio.ts';
import { type Bypass, Bypasses } from './bypasses.ts';
import { type BlockDevice, type DeviceNumber, formatDeviceNumber } from './device.ts';
import { EventCounter } from './event-counter.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { Mutex } from './mutex.ts';
import { RegionStatistics } from './region-statistics/region-statistics.ts';
import { type IoCounts, IoStatistics, sumStatistics } from './statistics.ts';
import { REQUEUE, submitToTable } from './submit.ts';
import type { Table } from './table.ts';

export type { Bypass } from './bypasses.ts';

export interface SuspendOptions {
  /** Bios that targets hand back are queued instead of failed, and nothing waits for a flush. */
  noflush?: boolean;
}

/** Hears of every change, at once; the mapper tells its listeners. */
export interface DeviceWatcher {
  changed(device: MappedDevice): void;
  /** A table was swapped or an event raised: what poll on the control node reports. */
  globalEvent(): void;
}

export interface MappedDeviceOptions {
  name: string;
  uuid: string;
  number: DeviceNumber;
  clock: Clock;
  statistics?: IoStatistics;
  watcher?: DeviceWatcher;
}

/** As BIOSes count a disk; for programs that ask (HDIO_GETGEO). `startSectors` is where it begins on the whole disk. */
export interface Geometry {
  cylinders: number;
  heads: number;
  sectors: number;
  startSectors: number;
}

export class MappedDevice implements BlockDevice {
  name: string;
  uuid: string;
  readonly number: DeviceNumber;
  /** Who has it open: exports, tables of other devices, users of the library. Changed by the mapper alone. */
  openCount = 0;
  /** Removed as soon as the last opener closes. */
  deferredRemove = false;

  readonly #clock: Clock;
  readonly #mutex = new Mutex();
  readonly #statistics: IoStatistics;
  readonly #bypasses = new Bypasses();
  readonly #regions: RegionStatistics;
  /** `#regions` while there are any. */
  #countingRegions: RegionStatistics | null = null;
  readonly #resizeListeners = new Set<() => void>();
  readonly #watcher: DeviceWatcher | undefined;
  readonly #events = new EventCounter();
  /** Who must be done before the device may be torn down: see `hold`. */
  #holderCount = 0;
  #unheld: (() => void) | null = null;
  #geometry: Geometry | null = null;
  #live: Table | null = null;
  #inactive: Table | null = null;
  #suspended = false;
  #blocked = false;
  #noflush = false;
  #removed = false;
  #deferred: Bio[] = [];
  #inFlightCount = 0;
  #drained: (() => void) | null = null;

  constructor(options: MappedDeviceOptions) {
    this.name = options.name;
    this.uuid = options.uuid;
    this.number = options.number;
    this.#clock = options.clock;
    this.#statistics = options.statistics ?? new IoStatistics();
    this.#watcher = options.watcher;
    this.#regions = new RegionStatistics(options.clock);
  }

  get operand(): string {
    return formatDeviceNumber(this.number);
  }

  get live(): Table | null {
    return this.#live;
  }

  get inactive(): Table | null {
    return this.#inactive;
  }

  get suspended(): boolean {
    return this.#suspended;
  }

  get sizeSectors(): number {
    return this.#live?.sizeSectors ?? 0;
  }

  get limits(): Limits {
    return this.#live?.limits ?? DEFAULT_LIMITS;
  }

  get readOnly(): boolean {
    return this.#live?.readOnly ?? false;
  }

  get inFlightCount(): number {
    return this.#inFlightCount;
  }

  get eventNumber(): number {
    return this.#events.number;
  }

  /** null until somebody sets one, and again after a change of size. */
  get geometry(): Geometry | null {
    return this.#geometry;
  }

  set geometry(geometry: Geometry | null) {
    this.#geometry = geometry;
    this.#changed();
  }

  #changed(): void {
    this.#watcher?.changed(this);
  }

  statistics(): IoCounts {
    return sumStatistics([this.#statistics, ...this.#bypasses.statistics(this)]);
  }

  /** Regions of dm-statistics, to look at; `changeRegions` creates and deletes them. */
  get regions(): RegionStatistics {
    return this.#regions;
  }

  /** Regions count what comes through `submit`, so while there are any, bypasses must leave this device's I/O to it. */
  get hasRegions(): boolean {
    return this.#countingRegions !== null;
  }

  /** Creates or deletes regions. Once it resolves, no I/O passes by the first one, and bypasses are free after the last. */
  async changeRegions<T>(change: (regions: RegionStatistics) => T): Promise<T> {
    return await this.#mutex.run(async () => {
      this.#checkPresent();
      const result = change(this.#regions);
      const counting = this.#regions.isEmpty ? null : this.#regions;
      if (counting !== this.#countingRegions) {
        // At once: whoever attaches while the others come to rest must see it.
        this.#countingRegions = counting;
        await this.#renewBypasses();
      }
      return result;
    });
  }

  async #renewBypasses(): Promise<void> {
    // Of a blocked device they rest already, and look anew when it runs again.
    if (this.#blocked) return;
    await this.#bypasses.quiesce();
    this.#bypasses.release();
  }

  /** Counts what a bypass that goes away had counted; what it had in flight went with it. */
  #absorb(part: IoStatistics | undefined): void {
    if (part) this.#statistics.add(part);
  }

  submit(bio: Bio): void {
    if (bio.startMs === 0) bio.startMs = this.#clock.nowMs();
    if (this.#blocked) {
      this.#deferred.push(bio);
      return;
    }
    this.#start(bio);
  }

  #start(bio: Bio): void {
    const table = this.#live;
    if (table === null || this.#removed) {
      bio.end(Errno.EIO);
      return;
    }
    if (table.readOnly && bio.isWrite && bio.op !== Op.flush) {
      bio.end(Errno.EROFS);
      return;
    }
    this.#inFlightCount += 1;
    this.#statistics.begin();
    if (this.#countingRegions !== null) this.#countingRegions.begin(bio, table);
    submitToTable(this, table, bio);
  }

  /** All clones of `bio` ended; called by submit.ts alone. */
  finish(bio: Bio): void {
    this.#inFlightCount -= 1;
    if (bio.error === REQUEUE) {
      if (this.#noflush) {
        bio.error = 0;
        bio.extents?.clear();
        this.#statistics.withdraw();
        this.#countingRegions?.withdraw(bio);
        this.#deferred.push(bio);
        this.#checkDrained();
        return;
      }
      bio.error = Errno.EIO;
    }
    if (bio.endMs === 0) bio.endMs = this.#clock.nowMs();
    this.#statistics.finish(bio);
    if (this.#countingRegions !== null) this.#countingRegions.end(bio);
    const { error } = bio;
    bio.end(error);
    this.#checkDrained();
  }

  #checkDrained(): void {
    if (this.#inFlightCount > 0 || this.#drained === null) return;
    const drained = this.#drained;
    this.#drained = null;
    drained();
  }

  /** Puts `table` into the inactive slot; the one that was there is closed. */
  async load(table: Table): Promise<void> {
    await this.#mutex.run(async () => {
      this.#checkReplaceable(table);
      const old = this.#inactive;
      this.#inactive = table;
      this.#changed();
      await old?.close();
    });
  }

  #checkReplaceable(table: Table): void {
    this.#checkPresent();
    const immutable = this.#live?.rows[0];
    if (!this.#live?.hasFeature('immutable') || immutable === undefined) return;
    if (table.hasFeature('wildcard')) return;
    if (table.rows.every((row) => row.type === immutable.type)) return;
    throw new DmError(
      'EINVAL',
      `Cannot load table of ${this.name}: can't replace immutable target type ${immutable.type}`,
    );
  }

  #checkPresent(): void {
    if (this.#removed) throw new DmError('ENXIO', `Device ${this.name} was removed`);
  }

  /** Drops the inactive table. */
  async clear(): Promise<void> {
    await this.#mutex.run(async () => {
      const old = this.#inactive;
      this.#inactive = null;
      if (old) this.#changed();
      await old?.close();
    });
  }

  /** Queues new bios and resolves when none is in flight. A suspended device stays so, as the kernel's ioctl leaves it. */
  async suspend(options: SuspendOptions = {}): Promise<void> {
    await this.#mutex.run(async () => {
      this.#checkPresent();
      if (!this.#suspended) await this.#suspendLocked(options);
    });
  }

  async #suspendLocked(options: SuspendOptions): Promise<void> {
    this.#noflush = options.noflush ?? false;
    for (const row of this.#live?.rows ?? []) row.target.presuspend?.();
    this.#blocked = true;
    await this.#bypasses.quiesce();
    await this.#drain();
    this.#noflush = false;
    this.#suspended = true;
    for (const row of this.#live?.rows ?? []) await row.target.postsuspend?.();
    this.#changed();
  }

  #drain(): Promise<void> {
    if (this.#inFlightCount === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained = resolve;
    });
  }

  /**
   * Makes the inactive table live if there is one, then runs again and starts what was queued, in order. An inactive table
   * that cannot become live is dropped; the old one stays and the device suspended, as the kernel leaves it.
   */
  async resume(options: SuspendOptions = {}): Promise<void> {
    await this.#mutex.run(async () => {
      this.#checkPresent();
      if (this.#inactive) await this.#swap(this.#inactive, options);
      if (!this.#suspended) return;
      if (!this.#live)
        throw new DmError('EINVAL', `Cannot resume ${this.name}: no table is loaded`);
      await this.#run(this.#live);
    });
  }

  async #swap(table: Table, options: SuspendOptions): Promise<void> {
    if (!this.#suspended) await this.#suspendLocked(options);
    this.#inactive = null;
    try {
      this.#checkReplaceable(table);
      table.recheck();
    } catch (error) {
      this.#changed();
      await table.close();
      throw error;
    }
    await this.#bind(table);
  }

  async #bind(table: Table): Promise<void> {
    const old = this.#live;
    this.#live = table;
    try {
      await old?.close();
    } finally {
      if (old?.sizeSectors !== table.sizeSectors) {
        this.#geometry = null;
        for (const listener of this.#resizeListeners) listener();
      }
      this.#watcher?.globalEvent();
      this.#changed();
    }
  }

  async #run(table: Table): Promise<void> {
    for (const row of table.rows) await row.target.preresume?.();
    this.#suspended = false;
    this.#blocked = false;
    for (const row of table.rows) row.target.resume?.();
    this.#bypasses.release();
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const bio of deferred) this.submit(bio);
    this.#changed();
  }

  /** Ends everything: queued bios fail, tables are closed. Called by the mapper when nobody has it open. */
  async destroy(): Promise<void> {
    if (this.#live) this.event();
    await this.#mutex.run(async () => {
      if (this.#removed) return;
      if (!this.#suspended) await this.#suspendLocked({ noflush: true });
      this.#removed = true;
      this.#events.wake();
      await this.#waitUnheld();
      this.#blocked = false;
      for (const bio of this.#deferred.splice(0)) bio.end(Errno.EIO);
      const [live, inactive] = [this.#live, this.#inactive];
      this.#live = null;
      this.#inactive = null;
      this.#countingRegions = null;
      this.#regions.close();
      try {
        await live?.close();
      } finally {
        await inactive?.close();
      }
    });
  }

  /** A bypass that attaches to a suspended device is quiesced from the start. */
  attachBypass(bypass: Bypass): void {
    this.#bypasses.add(bypass);
    if (this.#blocked) void bypass.quiesce();
  }

  detachBypass(bypass: Bypass): void {
    if (!this.#bypasses.delete(bypass)) return;
    this.#absorb(bypass.statistics(this));
  }

  /** Calls back after each change of size; returns the function that ends it. */
  onResize(listener: () => void): () => void {
    this.#resizeListeners.add(listener);
    return () => this.#resizeListeners.delete(listener);
  }

  /** Raises the event counter. */
  event(): void {
    this.#events.raise();
    this.#watcher?.globalEvent();
    this.#changed();
  }

  /** Resolves as soon as the event counter is above `eventNumber` or the device removed; rejects when `signal` aborts. */
  async waitEvent(eventNumber: number, signal?: AbortSignal): Promise<number> {
    await this.#events.waitUntil(() => this.eventNumber > eventNumber || this.#removed, signal);
    return this.eventNumber;
  }

  /** As the kernel's DEV_WAIT: any other number will do. */
  async waitOtherEvent(eventNumber: number, signal: AbortSignal): Promise<void> {
    await this.#events.waitUntil(() => this.eventNumber !== eventNumber || this.#removed, signal);
  }

  /** Until the function that it returns is called, a removal leaves the tables as they are: somebody still reads them. */
  hold(): () => void {
    this.#holderCount += 1;
    return () => {
      this.#holderCount -= 1;
      if (this.#holderCount === 0) this.#unheld?.();
    };
  }

  async #waitUnheld(): Promise<void> {
    while (this.#holderCount > 0) {
      await new Promise<void>((resolve) => {
        this.#unheld = resolve;
      });
    }
  }

  /** Sends a message to the target at `sector` of the live table. */
  async message(sector: number, argv: readonly string[]): Promise<string | undefined> {
    const [name] = argv;
    if (name === undefined) throw new DmError('EINVAL', 'Empty message received');
    if (name.startsWith('@'))
      throw new DmError('EINVAL', `Unsupported message sent to DM core: ${name}`);
    const table = this.#live;
    if (!table) throw new DmError('EINVAL', `The device has no table: ${this.name}`);
    if (sector < 0 || sector >= table.sizeSectors) {
      throw new DmError(
        'EINVAL',
        `Target message sector outside device: ${sector} of ${table.sizeSectors}`,
      );
    }
    const row = table.find(sector);
    if (!row.target.message) {
      throw new DmError('EINVAL', `Target type does not support messages: ${row.type}`);
    }
    return row.target.message(argv);
  }
}
