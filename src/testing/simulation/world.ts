/**
 * Everything of one history: disks, a mapper over them, volumes, requests, and the power that can fail.
 *
 * A crash ends one boot: its mapper sees only dead disks from then on and must still come to its end, leaving nothing behind.
 * The next boot makes the volumes that were live again, from what the disks hold.
 */

import type { DmError } from '../../base/errors.ts';
import { createPrng, type Prng } from '../../base/prng.ts';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { Op } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import type { TargetType } from '../../core/target.ts';
import { Boot } from './boot.ts';
import type { Part, Possibility, RowDraft, Slot } from './description.ts';
import { Disk } from './disk.ts';
import { Ledger } from './ledger.ts';
import { Request, type RequestSpec } from './request.ts';
import { outcomeOf, type SnapshotRecord } from './snapshots.ts';
import type { TableDraft } from './table-draft.ts';
import type { Theme } from './theme.ts';
import { type Surroundings, Volume } from './volume.ts';

/** Of the simulated clock; nothing that works takes so long. */
const PATIENCE_MS = 1_000_000;
const VERIFY_SECTORS = 24;
const MERGE = 'snapshot-merge';

export interface WorldOptions {
  seed: number;
  theme: Theme;
  types: readonly TargetType[];
  /** For mutants: what stands in front of each disk. */
  wrapDisk?: (disk: BlockDevice) => BlockDevice;
}

export class World {
  readonly clock = new SimulatedClock();
  readonly ledger = new Ledger();
  readonly disks: readonly Disk[];
  /** For what targets keep apart. */
  readonly scratchDisks: readonly Disk[];
  readonly allDisks: readonly Disk[];
  crashCount = 0;
  bootCount = 0;
  requestCount = 0;
  readonly #options: WorldOptions;
  readonly #requests = new Set<Request>();
  #boot: Boot;

  constructor(options: WorldOptions) {
    const { seed, theme } = options;
    const { clock, ledger } = this;
    this.#options = options;
    const prng = createPrng(seed);
    const count = prng.integer(...theme.diskCount);
    this.disks = Array.from({ length: count }, (_, index) => {
      return new Disk({ index, seed, clock, ledger, theme });
    });
    this.scratchDisks = Array.from({ length: prng.integer(...theme.scratchCount) }, (_, index) => {
      return new Disk({ index: count + index, seed, clock, ledger, theme, isScratch: true });
    });
    this.allDisks = [...this.disks, ...this.scratchDisks];
    this.#boot = this.#start();
  }

  get theme(): Theme {
    return this.#options.theme;
  }

  get volumes(): readonly Volume[] {
    return [...this.#boot.volumes.values()];
  }

  /** Also those on their way out. */
  get allVolumes(): readonly Volume[] {
    return this.#boot.all;
  }

  /** Something stands on the disk or volume. */
  isUsed(ground: string): boolean {
    return this.allVolumes.some(({ drafts }) =>
      drafts.some(({ parts }) => parts.some((part) => part.ground === ground)),
    );
  }

  volume(name: string): Volume | undefined {
    return this.#boot.volumes.get(name);
  }

  slotsOf(ground: string): readonly Slot[] {
    return (this.disk(ground) ?? this.#ground(ground)).slots;
  }

  disk(name: string): Disk | undefined {
    return this.allDisks.find((disk) => disk.name === name);
  }

  /** Those that have a part of it in a table, or will. */
  usersOf(volume: Volume): readonly Volume[] {
    return this.volumes.filter(({ drafts }) =>
      drafts.some(({ parts }) => parts.some(({ ground }) => ground === volume.operand)),
    );
  }

  #start(): Boot {
    const { seed, types, wrapDisk = (disk) => disk } = this.#options;
    return new Boot({
      types,
      clock: this.clock,
      prng: createPrng((seed + this.bootCount) >>> 0),
      openDisks: (isDark) =>
        new Map(this.allDisks.map((disk) => [disk.name, wrapDisk(disk.port(isDark))])),
    });
  }

  /** A device without a table; the same minor number at each boot. */
  addVolume(name: string): Volume {
    const boot = this.#boot;
    const surroundings: Surroundings = {
      ledger: this.ledger,
      horizon: () => this.#horizon(),
      isCurrent: () => !boot.isOver,
      show: (draft) => this.show(draft),
    };
    const volume = new Volume(name, boot.mapper.create({ name }), surroundings);
    boot.volumes.set(name, volume);
    return volume;
  }

  #horizon(): number {
    let horizon = Number.POSITIVE_INFINITY;
    for (const { start } of this.#requests) horizon = Math.min(horizon, start);
    return horizon;
  }

  show(draft: TableDraft): { slots: Slot[]; troubles: Possibility[] } {
    const slotsOf = ({ ground, startSectors, lengthSectors }: Part) => {
      return this.slotsOf(ground).slice(startSectors, startSectors + lengthSectors);
    };
    const troubles = new Set<Possibility>(draft.rows.flatMap(({ troubles: own = [] }) => own));
    for (const { ground } of draft.parts) {
      const disk = this.disk(ground);
      if (disk) troubles.add(disk.trouble);
      else for (const trouble of this.#ground(ground).troubles) troubles.add(trouble);
    }
    return { slots: draft.show(slotsOf), troubles: [...troubles] };
  }

  #ground(operand: string): Volume {
    return this.volumes.find((volume) => volume.operand === operand)!;
  }

  /** Loads a table for `draft` into the other slot. */
  async load(volume: Volume, draft: TableDraft): Promise<void> {
    const table = await this.#boot.mapper.load(volume.device, draft.specs());
    volume.expect(table, draft);
  }

  async remove(volume: Volume): Promise<void> {
    const { mapper } = this.#boot;
    if (volume.device.openCount === 0) {
      for (const record of mergingOf([volume])) record.leaveHalfMerged(this.slotsOf(record.real));
      await this.#boot.remove(volume);
      return;
    }
    const removal = mapper.remove(volume.device).then(() => 'removed');
    const answer = await removal.catch((error: unknown) => (error as DmError).code);
    if (answer !== 'EBUSY') this.ledger.report('refusal', `${volume.name}: open, but ${answer}`);
  }

  submit(volume: Volume, spec: RequestSpec): void {
    const request = new Request(volume, spec, () => {
      const { release } = this.#boot.mapper.open(volume.device);
      return () => {
        this.#requests.delete(request);
        release();
      };
    });
    this.requestCount += 1;
    this.#requests.add(request);
    volume.requests.add(request);
    request.submit();
  }

  /** The power fails, everything below a device is dead, and the machine starts again. */
  async crash(): Promise<void> {
    const old = this.#boot;
    const live = this.#liveVolumes();
    for (const volume of live) this.#look(volume);
    this.ledger.step();
    this.ledger.count('power failure');
    this.crashCount += 1;
    old.isOver = true;
    for (const disk of this.allDisks) disk.crash();
    for (const record of recordsOf(live)) record.crash();
    for (const request of [...this.#requests]) request.abandon();
    await this.#reboot(live);
  }

  /** An orderly end of everything, which is there again afterwards. */
  async restart(): Promise<void> {
    await this.#rest();
    if (this.ledger.failure) return;
    this.ledger.count('restart');
    const live = this.#liveVolumes();
    for (const volume of live) this.#look(volume);
    await this.#reboot(live);
  }

  #liveVolumes(): readonly Volume[] {
    return this.volumes.filter(({ live }) => live !== null);
  }

  async #reboot(live: readonly Volume[]): Promise<void> {
    const merging = new Map(
      [...mergingOf(live)].map((record) => [record, this.slotsOf(record.real)]),
    );
    await this.#end(this.#boot);
    if (this.ledger.failure) return;
    this.bootCount += 1;
    this.#boot = this.#start();
    for (const disk of this.allDisks) disk.powerOn();
    // Who merges has what a snapshot had.
    const isOver = ({ type, record }: RowDraft) => type !== MERGE && record && merging.has(record);
    const left = live.filter((volume) => !volume.live!.rows.some(isOver));
    await this.#reopenAll(new Map(left.map((volume) => [volume.name, volume])));
    const reopened = mergingOf(this.#liveVolumes());
    for (const [record, real] of merging) {
      if (!reopened.has(record)) record.leaveHalfMerged(real);
    }
    await this.verify();
  }

  /**
   * From the disks upwards; without what the power failure took, and what stood on that. A merge goes on when it is opened, so the other snapshots of
   * its origin come first.
   */
  async #reopenAll(old: Map<string, Volume>): Promise<void> {
    while (!this.ledger.failure) {
      const ready = [...old.values()].filter(({ live }) => this.#canReopen(live!));
      const next = ready.find(({ live }) => live!.rows[0]!.type !== MERGE) ?? ready[0];
      if (!next) return;
      old.delete(next.name);
      await this.#reopen(next);
    }
  }

  #canReopen({ rows, parts }: TableDraft): boolean {
    const isGone = rows.some(({ isPassing }) => isPassing);
    return !isGone && parts.every(({ ground }) => this.#isThere(ground));
  }

  #isThere(ground: string): boolean {
    if (this.disk(ground)) return true;
    return this.volumes.some(({ operand, live }) => operand === ground && live !== null);
  }

  async #reopen({ name, live, isPrivate }: Volume): Promise<void> {
    const draft = live!.reopened;
    const volume = this.addVolume(name);
    volume.isPrivate = isPrivate;
    volume.administer('reopen', async () => {
      await this.load(volume, draft);
      await volume.device.resume();
      const isLost = draft.rows.some(({ record }) => record?.isLost(this.statusOf(record)));
      if (isLost) await this.remove(volume);
    });
    await this.pump(volume.idle, `opening ${name}`);
  }

  /** What `dmsetup status` prints of whoever shows the snapshot; '': nobody does. */
  statusOf(record: SnapshotRecord): string {
    const shows = ({ live }: Volume) => live?.rows.some((row) => row.record === record);
    const rows = this.volumes.find(shows)?.device.live?.rows ?? [];
    return rows[0]?.target.status?.() ?? '';
  }

  /** What has become of snapshots, before they are closed. */
  #look({ live }: Volume): void {
    for (const { record, type } of live?.rows ?? []) {
      if (!record) continue;
      const status = this.statusOf(record);
      record.lookAt(status);
      this.ledger.count(`${type}: ${outcomeOf(status)}`);
    }
  }

  /** Removes all that a boot made, whatever state it is in, and looks for what is left. */
  async #end(boot: Boot): Promise<void> {
    await this.pump(boot.wipe(), 'the end of all volumes');
    if (this.ledger.failure) return;
    const { mapper, openCount, volumes } = boot;
    for (const { name, requests } of volumes.values()) {
      for (const request of requests) this.ledger.report('hang', `${request} never ended`);
      this.#expectNone(requests.size, `requests of ${name}`);
    }
    this.#expectNone(mapper.list().length, 'devices');
    this.#expectNone(openCount, 'open disks');
    this.#expectNone(this.clock.pendingCount, 'timers');
    for (const { name, medium } of this.allDisks)
      this.#expectNone(medium.inFlightCount, `bios of ${name}`);
  }

  #expectNone(count: number, what: string): void {
    if (count !== 0) this.ledger.report('leak', `${count} ${what} are left`);
  }

  /** Lets time pass until `work` is done. */
  async pump(work: Promise<unknown>, what: string): Promise<void> {
    const state = { isDone: false };
    const outcome = work.finally(() => {
      state.isDone = true;
    });
    outcome.catch(() => undefined); // it is awaited below
    const endMs = this.clock.nowMs() + PATIENCE_MS;
    await this.clock.advance(0);
    while (!state.isDone && this.clock.nowMs() < endMs && this.clock.pendingCount > 0)
      await this.clock.advance(20);
    if (state.isDone) await outcome;
    else this.ledger.report('hang', `${what} never came to an end`);
  }

  /** All that is under way, until it has ended. */
  async drain(): Promise<void> {
    const endMs = this.clock.nowMs() + PATIENCE_MS;
    await this.clock.advance(0);
    while (this.#requests.size > 0 && this.clock.nowMs() < endMs && this.clock.pendingCount > 0)
      await this.clock.advance(20);
    const [first] = this.#requests;
    if (first) this.ledger.report('hang', `${this.#requests.size} requests never ended: ${first}`);
  }

  /** Every sector of every volume is what it may be, and stays it. */
  async verify(): Promise<void> {
    for (const volume of this.volumes) {
      if (volume.live === null || volume.isPrivate) continue;
      for (const [sector, sectorCount] of readableRuns(volume.slots)) {
        this.submit(volume, { op: Op.read, flags: 0, sector, sectorCount, dataOffset: 0 });
      }
    }
    await this.drain();
  }

  /** Everything runs, and ends. */
  async #rest(): Promise<void> {
    for (const volume of this.volumes) {
      volume.administer('resume', async () => {
        if (volume.device.live || volume.device.inactive) await volume.device.resume();
      });
    }
    await this.pump(Promise.all(this.volumes.map(({ idle }) => idle)), 'what was asked of volumes');
    await this.drain();
    // What disks were told for a time is over.
    await this.clock.runUntilIdle();
  }

  /** The orderly end: everything runs, ends, is checked and goes. */
  async finish(): Promise<void> {
    await this.#rest();
    if (this.ledger.failure) return;
    await this.verify();
    for (const volume of this.volumes) {
      const { name, device } = volume;
      this.#expectNone(device.inFlightCount, `bios in ${name}`);
      this.#expectNone(device.statistics().inFlight, `bios in flight in the statistics of ${name}`);
      this.#expectNone(device.openCount - this.usersOf(volume).length, `opens of ${name} too many`);
    }
    for (const volume of this.volumes) this.#look(volume);
    await this.#end(this.#boot);
  }
}

function recordsOf(volumes: readonly Volume[]): Set<SnapshotRecord> {
  const records = volumes.flatMap(({ live }) => live!.rows.map(({ record }) => record));
  return new Set(records.filter((record) => record !== undefined));
}

function mergingOf(volumes: readonly Volume[]): Set<SnapshotRecord> {
  return recordsOf(volumes.filter(({ live }) => live?.rows[0]?.type === MERGE));
}

function* readableRuns(slots: readonly Slot[]): Generator<[sector: number, sectorCount: number]> {
  let start = 0;
  while (start < slots.length) {
    let end = start;
    while (end < slots.length && end - start < VERIFY_SECTORS && slots[end] !== 'error') end += 1;
    if (end > start) yield [start, end - start];
    start = Math.max(end, start + 1);
  }
}

/** A generator for one purpose of one history. */
export function prngFor(seed: number, purpose: number): Prng {
  return createPrng((seed ^ Math.imul(purpose, 0x9e3779b1)) >>> 0);
}
