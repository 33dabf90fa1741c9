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
import { type BlockDevice, type DeviceNumber, formatDeviceNumber } from './device.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { Mutex } from './mutex.ts';
import { type IoCounts, IoStatistics, sumStatistics } from './statistics.ts';
import { REQUEUE, submitToTable } from './submit.ts';
import type { Table } from './table.ts';

/** Something that does I/O of this device outside `submit` (a data-plane worker) and can be told to stop. */
export interface Bypass {
  /** Resolves when nothing is under way there; from now on everything comes through `submit`. */
  quiesce(): Promise<void>;
  /** The device runs again, perhaps with another table. */
  release(): void;
  /** What it counted for this device, if anything. */
  statistics(device: MappedDevice): IoStatistics | undefined;
}

export interface SuspendOptions {
  /** Bios that targets hand back are queued instead of failed, and nothing waits for a flush. */
  noflush?: boolean;
}

export interface MappedDeviceOptions {
  name: string;
  uuid: string;
  number: DeviceNumber;
  clock: Clock;
  statistics?: IoStatistics;
}

export class MappedDevice implements BlockDevice {
  name: string;
  uuid: string;
  readonly number: DeviceNumber;
  /** Who has it open: exports, tables of other devices, users of the library. Changed by the mapper alone. */
  openCount = 0;
  /** Removed as soon as the last opener closes. */
  deferredRemove = false;
  eventNumber = 0;

  readonly #clock: Clock;
  readonly #mutex = new Mutex();
  readonly #statistics: IoStatistics;
  readonly #bypasses = new Set<Bypass>();
  readonly #resizeListeners = new Set<() => void>();
  #eventWaiters: (() => void)[] = [];
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

  statistics(): IoCounts {
    const parts = [this.#statistics];
    for (const bypass of this.#bypasses) {
      const part = bypass.statistics(this);
      if (part) parts.push(part);
    }
    return sumStatistics(parts);
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
        this.#deferred.push(bio);
        this.#checkDrained();
        return;
      }
      bio.error = Errno.EIO;
    }
    if (bio.endMs === 0) bio.endMs = this.#clock.nowMs();
    this.#statistics.finish(bio);
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
    await Promise.all([...this.#bypasses].map((bypass) => bypass.quiesce()));
    await this.#drain();
    this.#noflush = false;
    this.#suspended = true;
    for (const row of this.#live?.rows ?? []) await row.target.postsuspend?.();
  }

  #drain(): Promise<void> {
    if (this.#inFlightCount === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained = resolve;
    });
  }

  /** Makes the inactive table live if there is one, then runs again and starts what was queued, in order. */
  async resume(): Promise<void> {
    await this.#mutex.run(async () => {
      this.#checkPresent();
      if (this.#inactive) await this.#swap(this.#inactive);
      if (!this.#suspended) return;
      if (!this.#live)
        throw new DmError('EINVAL', `Cannot resume ${this.name}: no table is loaded`);
      await this.#run(this.#live);
    });
  }

  async #swap(table: Table): Promise<void> {
    this.#checkReplaceable(table);
    if (!this.#suspended) await this.#suspendLocked({});
    const old = this.#live;
    this.#live = table;
    this.#inactive = null;
    try {
      await old?.close();
    } finally {
      if (old?.sizeSectors !== table.sizeSectors)
        for (const listener of this.#resizeListeners) listener();
    }
  }

  async #run(table: Table): Promise<void> {
    for (const row of table.rows) await row.target.preresume?.();
    this.#suspended = false;
    this.#blocked = false;
    for (const row of table.rows) row.target.resume?.();
    // A copy: releasing attaches and detaches.
    for (const bypass of [...this.#bypasses]) bypass.release();
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const bio of deferred) this.submit(bio);
  }

  /** Ends everything: queued bios fail, tables are closed. Called by the mapper when nobody has it open. */
  async destroy(): Promise<void> {
    await this.#mutex.run(async () => {
      if (this.#removed) return;
      if (!this.#suspended) await this.#suspendLocked({ noflush: true });
      this.#removed = true;
      this.#blocked = false;
      for (const bio of this.#deferred.splice(0)) bio.end(Errno.EIO);
      const [live, inactive] = [this.#live, this.#inactive];
      this.#live = null;
      this.#inactive = null;
      this.event();
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
    this.eventNumber += 1;
    const waiters = this.#eventWaiters;
    this.#eventWaiters = [];
    for (const wake of waiters) wake();
  }

  /** Resolves as soon as the event counter is above `eventNumber`; rejects when `signal` aborts. */
  async waitEvent(eventNumber: number, signal?: AbortSignal): Promise<number> {
    while (this.eventNumber <= eventNumber && !this.#removed) {
      await new Promise<void>((resolve, reject) => {
        signal?.throwIfAborted();
        const wake = () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        };
        const abort = () => {
          this.#eventWaiters = this.#eventWaiters.filter((waiter) => waiter !== wake);
          reject(signal?.reason as Error);
        };
        signal?.addEventListener('abort', abort, { once: true });
        this.#eventWaiters.push(wake);
      });
    }
    return this.eventNumber;
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
