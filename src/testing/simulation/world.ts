/**
 * Everything of one history: disks, a mapper over them, volumes, requests, and the power that can fail.
 *
 * A crash ends one boot: its mapper sees only dead disks from then on and must still come to its end, leaving nothing behind.
 * The next boot makes the volumes that were live again, from what the disks hold.
 */

import { DmError } from '../../base/errors.ts';
import { createPrng, type Prng } from '../../base/prng.ts';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { Op } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import type { OpenedDevice } from '../../core/device-opener.ts';
import { Mapper } from '../../core/mapper.ts';
import { createTargetRegistry, type TargetType } from '../../core/target.ts';
import type { Part, Possibility, RowDraft, Slot } from './description.ts';
import { Disk } from './disk.ts';
import { Ledger } from './ledger.ts';
import { Request, type RequestSpec } from './request.ts';
import type { SnapshotRecord } from './snapshots.ts';
import type { TableDraft } from './table-draft.ts';
import { type Surroundings, Volume } from './volume.ts';

/** Of the simulated clock; nothing that works takes so long. */
const PATIENCE_MS = 1_000_000;
const VERIFY_SECTORS = 24;
const MERGE = 'snapshot-merge';

export interface WorldOptions {
  seed: number;
  types: readonly TargetType[];
  /** For mutants: what stands in front of each disk. */
  wrapDisk?: (disk: BlockDevice) => BlockDevice;
}

/** Until the next crash. */
interface Boot {
  readonly mapper: Mapper;
  readonly volumes: Map<string, Volume>;
  /** On their way out: what they stand on is still theirs. */
  readonly leaving: Map<Volume, Promise<unknown>>;
  isOver: boolean;
  openCount: number;
}

export class World {
  readonly clock = new SimulatedClock();
  readonly ledger = new Ledger();
  readonly disks: readonly Disk[];
  /** Of zeroes, for what targets keep apart. */
  readonly scratchDisks: readonly Disk[];
  readonly allDisks: readonly Disk[];
  crashCount = 0;
  requestCount = 0;
  readonly #options: WorldOptions;
  readonly #requests = new Set<Request>();
  #boot: Boot;

  constructor(options: WorldOptions) {
    const { seed } = options;
    const { clock, ledger } = this;
    this.#options = options;
    const prng = createPrng(seed);
    const count = prng.integer(1, 3);
    this.disks = Array.from({ length: count }, (_, index) => {
      return new Disk({ index, seed, clock, ledger });
    });
    this.scratchDisks = Array.from({ length: prng.integer(0, 3) }, (_, index) => {
      return new Disk({ index: count + index, seed, clock, ledger, isScratch: true });
    });
    this.allDisks = [...this.disks, ...this.scratchDisks];
    this.#boot = this.#start();
  }

  get volumes(): readonly Volume[] {
    return [...this.#boot.volumes.values()];
  }

  /** Something stands on the disk or volume. */
  isUsed(ground: string): boolean {
    return [...this.volumes, ...this.#boot.leaving.keys()].some(({ drafts }) =>
      drafts.some(({ parts }) => parts.some((part) => part.ground === ground)),
    );
  }

  volume(name: string): Volume | undefined {
    return this.#boot.volumes.get(name);
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
    const boot: Omit<Boot, 'mapper'> = {
      volumes: new Map(),
      leaving: new Map(),
      isOver: false,
      openCount: 0,
    };
    const ports = new Map(
      this.allDisks.map((disk) => [disk.name, wrapDisk(disk.port(() => boot.isOver))]),
    );
    const opener = {
      prepare: async () => undefined,
      open(operand: string): OpenedDevice {
        const device = ports.get(operand);
        if (!device) throw new DmError('ENOENT', `No such device: "${operand}"`);
        boot.openCount += 1;
        return {
          device,
          release: () => {
            boot.openCount -= 1;
          },
        };
      },
    };
    const mapper = new Mapper({
      registry: createTargetRegistry(types),
      opener,
      clock: this.clock,
      prng: createPrng((seed + this.crashCount) >>> 0),
    });
    mapper.observe({ changed: ({ name }) => boot.volumes.get(name)?.look() });
    return Object.assign(boot, { mapper });
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
      const { slots } = this.disk(ground) ?? this.#ground(ground);
      return slots.slice(startSectors, startSectors + lengthSectors);
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
    const { mapper, volumes, leaving } = this.#boot;
    if (volume.device.openCount > 0) {
      const removal = mapper.remove(volume.device).then(() => 'removed');
      const answer = await removal.catch((error: unknown) => (error as DmError).code);
      if (answer !== 'EBUSY') this.ledger.report('refusal', `${volume.name}: open, but ${answer}`);
      return;
    }
    volume.isRemoved = true;
    volumes.delete(volume.name);
    const removal = mapper.remove(volume.device).finally(() => leaving.delete(volume));
    leaving.set(volume, removal);
    await removal;
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
    const live = [...old.volumes.values()].filter(({ live: draft }) => draft !== null);
    const merging = recordsOf(live.filter((volume) => volume.live!.rows[0]!.type === MERGE));
    this.ledger.step();
    this.crashCount += 1;
    old.isOver = true;
    for (const disk of this.allDisks) disk.crash();
    for (const record of recordsOf(live)) record.crash();
    for (const request of [...this.#requests]) request.abandon();
    await this.#end(old);
    if (this.ledger.failure) return;
    this.#boot = this.#start();
    for (const disk of this.allDisks) disk.powerOn();
    // Who merges has what a snapshot had.
    const isOver = ({ type, record }: RowDraft) => type !== MERGE && record && merging.has(record);
    const left = live.filter((volume) => !volume.live!.rows.some(isOver));
    await this.#reopenAll(new Map(left.map((volume) => [volume.name, volume])));
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
    const draft = live!.fresh;
    const volume = this.addVolume(name);
    volume.isPrivate = isPrivate;
    volume.administer('opening after the crash', async () => {
      await this.load(volume, draft);
      await volume.device.resume();
    });
    await this.pump(volume.idle, `opening ${name}`);
  }

  /** Removes all that a boot made, whatever state it is in, and looks for what is left. */
  async #end(boot: Boot): Promise<void> {
    await this.pump(this.#wipe(boot), 'the end of all volumes');
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

  /** As `dmsetup remove --force`: a table that fails everything lets all that waits end. */
  async #wipe({ mapper, volumes, leaving }: Boot): Promise<void> {
    const all = [...volumes.values()];
    const removals = Promise.allSettled(leaving.values());
    await Promise.all(
      all.map(async ({ device, live, idle }) => {
        if (live !== null) {
          const length = live.sizeSectors;
          await mapper.load(device, [{ start: 0, length, type: 'error', params: '' }]);
          await device.resume();
        }
        await idle;
      }),
    );
    await removals;
    await mapper.removeAll();
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

  /** The orderly end: everything runs, ends, is checked and goes. */
  async finish(): Promise<void> {
    for (const volume of this.volumes) {
      volume.administer('the last resume', async () => {
        if (volume.device.live || volume.device.inactive) await volume.device.resume();
      });
    }
    await this.pump(Promise.all(this.volumes.map(({ idle }) => idle)), 'what was asked of volumes');
    await this.drain();
    // What disks were told for a time is over.
    await this.clock.runUntilIdle();
    if (this.ledger.failure) return;
    await this.verify();
    for (const volume of this.volumes) {
      const { name, device } = volume;
      this.#expectNone(device.inFlightCount, `bios in ${name}`);
      this.#expectNone(device.statistics().inFlight, `bios in flight in the statistics of ${name}`);
      this.#expectNone(device.openCount - this.usersOf(volume).length, `opens of ${name} too many`);
    }
    await this.#end(this.#boot);
  }
}

function recordsOf(volumes: readonly Volume[]): Set<SnapshotRecord> {
  const records = volumes.flatMap(({ live }) => live!.rows.map(({ record }) => record));
  return new Set(records.filter((record) => record !== undefined));
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
