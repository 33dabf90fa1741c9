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
import type { Secret } from '../crypto/secret.ts';
import { type Bio, Op } from './bio.ts';
import { type Bypass, Bypasses } from './bypasses.ts';
import { type BlockDevice, type DeviceNumber, formatDeviceNumber } from './device.ts';
import type {
  DeviceWatcher,
  Geometry,
  MappedDeviceOptions,
  SuspendOptions,
} from './device-options.ts';
import { Drain } from './drain.ts';
import { EventCounter } from './event-counter.ts';
import { Holders } from './holders.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { Mutex } from './mutex.ts';
import { RegionStatistics } from './region-statistics/region-statistics.ts';
import { type IoCounts, IoStatistics, sumStatistics } from './statistics.ts';
import { REQUEUE, submitToTable } from './submit.ts';
import type { Table } from './table.ts';
import { sendTargetMessage } from './target-message.ts';

export class MappedDevice implements BlockDevice {
  name: string;
  uuid: string;
  readonly number: DeviceNumber;
  /** Who has it open: exports, tables of other devices, users of the library. Changed by the mapper alone. */
  openCount = 0;
  /** Removed as soon as the last opener closes. */
  deferredRemove = false;
  /** From the first table that was loaded on. Before, as in a kernel, there is nothing to be opened or to be shown in sysfs. */
  hasDisk = false;

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
  readonly #holders = new Holders();
  #geometry: Geometry | null = null;
  #live: Table | null = null;
  #inactive: Table | null = null;
  #suspended = false;
  #blocked = false;
  #noflush = false;
  /** On its way out: nobody finds it any more. `#removed`: its tables are gone. */
  #leaving = false;
  #removed = false;
  #deferred: Bio[] = [];
  #inFlightCount = 0;
  readonly #drain = new Drain();

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
        // Of a blocked device they rest already, and look anew when it runs again.
        if (!this.#blocked) await this.#bypasses.renew(() => this.#blocked);
      }
      return result;
    });
  }

  /** Those who do I/O of this device look at it anew. Without the mutex: a suspend may wait for a bio that waits for this. */
  async renewBypasses(): Promise<void> {
    await this.#bypasses.renew(() => this.#blocked || this.#removed);
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
    if (this.#inFlightCount === 0 && this.#drain.isAwaited) this.#drain.finish();
  }

  /** Puts `table` into the inactive slot; the one that was there is closed. */
  async load(table: Table): Promise<void> {
    await this.#mutex.run(async () => {
      this.#checkPresent();
      table.checkReplaces(this.#live, this.name);
      this.hasDisk = true;
      await this.#setInactive(table);
    });
  }

  #checkPresent(): void {
    if (this.#removed) throw new DmError('ENXIO', `Device ${this.name} was removed`);
  }

  /** Drops the inactive table. */
  async clear(): Promise<void> {
    await this.#mutex.run(() => this.#setInactive(null));
  }

  async #setInactive(table: Table | null): Promise<void> {
    const old = this.#inactive;
    this.#inactive = table;
    if (old !== table) this.#changed();
    await old?.close();
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
    const isDrained = this.#inFlightCount === 0 || (await this.#drain.wait(options.signal));
    this.#noflush = false;
    if (!isDrained) {
      for (const row of this.#live?.rows ?? []) row.target.presuspendUndo?.();
      this.#unblock();
      throw new DmError('EINTR', `Interrupted while suspending ${this.name}`);
    }
    this.#suspended = true;
    for (const row of this.#live?.rows ?? []) await row.target.postsuspend?.();
    this.#changed();
  }

  /** Makes the inactive table live if there is one, then runs. One that cannot become live is dropped, and the device stays suspended. */
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
      table.checkReplaces(this.#live, this.name);
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
    for (const row of table.rows) row.target.resume?.();
    this.#unblock();
    this.#changed();
  }

  /** Lets I/O run again, first what was queued. */
  #unblock(): void {
    this.#blocked = false;
    this.#bypasses.release();
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const bio of deferred) this.submit(bio);
  }

  /** Ends everything: queued bios fail, tables are closed. Called by the mapper when nobody has it open. */
  async destroy(): Promise<void> {
    this.#leaving = true;
    if (this.#live) this.event();
    this.#events.wake();
    // Outside the mutex, which a holder may need to come to its end.
    await this.#holders.gone();
    await this.#mutex.run(async () => {
      if (this.#removed) return;
      if (!this.#suspended) await this.#suspendLocked({ noflush: true });
      this.#removed = true;
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
    this.#bypasses.add(bypass, this.#blocked);
  }

  detachBypass(bypass: Bypass): void {
    if (!this.#bypasses.delete(bypass)) return;
    // What it had in flight went with it.
    const counted = bypass.statistics(this);
    if (counted) this.#statistics.add(counted);
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
    await this.#events.waitUntil(() => this.eventNumber > eventNumber || this.#leaving, signal);
    return this.eventNumber;
  }

  /** As the kernel's DEV_WAIT: any other number will do. */
  async waitOtherEvent(eventNumber: number, signal: AbortSignal): Promise<void> {
    await this.#events.waitUntil(() => this.eventNumber !== eventNumber || this.#leaving, signal);
  }

  /** Until the function that it returns is called, a removal leaves the device as it is: somebody still works with it. */
  hold(): () => void {
    return this.#holders.hold();
  }

  /** Sends a message to the target at `sector` of the live table. Words may name `secrets` (line-secrets.ts), which the caller wipes. */
  message(
    sector: number,
    argv: readonly string[],
    secrets: readonly Secret[] = [],
  ): Promise<string | undefined> {
    return sendTargetMessage(this.#live, this.name, sector, argv, secrets);
  }
}
