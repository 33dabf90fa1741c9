/**
 * Writes on their way to the device below: those of callers who wait for them, and those that were acknowledged and are held
 * back, as in the volatile cache of a disk.
 *
 * Invariants
 * - Writes that overlap reach the device in the order they came, the later when the earlier has ended. All others in any order.
 * - A read sees every write that was acknowledged before it came, landed or not.
 * - A flush goes below when every acknowledged write that respects flushes has landed; one that could not land fails the next flush.
 * - Of writes held by a policy there are never more than it allows.
 */

import type { Clock, Timer } from '../../base/clock.ts';
import type { Prng } from '../../base/prng.ts';
import { sectorsToBytes } from '../../base/units.ts';
import { NO_DATA, Op, recycleBio, takeBio } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import type { HoldPolicy } from './hold-policy.ts';
import type { Write } from './write.ts';

export interface ReadRange {
  sector: number;
  sectorCount: number;
  data: Uint8Array;
  dataOffset: number;
}

/** `errno` is 0 for success. Called once, perhaps before the call that it was given to returns. */
export type Done = (errno: number) => void;

export interface Entry {
  readonly write: Write;
  /** null: somebody waits for it, so it is not shown to readers before it landed. */
  readonly policy: HoldPolicy | null;
  state: 'held' | 'started' | 'ended';
  /** Earlier ones that overlap and have not ended, and later ones that wait for this. */
  waitingForCount: number;
  readonly waiters: Entry[];
  readonly onEnd: Done[];
  timer: Timer | null;
}

export interface WriteStoreOptions {
  device: BlockDevice;
  /** Where the row begins on it. */
  offsetSectors: number;
  clock: Clock;
}

export class WriteStore {
  readonly #device: BlockDevice;
  readonly #offsetSectors: number;
  readonly #clock: Clock;
  /** Not ended, in the order they came. */
  readonly #entries = new Set<Entry>();
  readonly #ready: Entry[] = [];
  #isRunning = false;
  /** Of an acknowledged write that could not land, until a flush has said so. */
  #lateErrno = 0;

  constructor(options: WriteStoreOptions) {
    this.#device = options.device;
    this.#offsetSectors = options.offsetSectors;
    this.#clock = options.clock;
  }

  /** Nothing is acknowledged and not landed. */
  get isClean(): boolean {
    for (const { policy } of this.#entries) if (policy !== null) return false;
    return true;
  }

  get heldCount(): number {
    let count = 0;
    for (const { policy } of this.#entries) if (policy !== null) count += 1;
    return count;
  }

  get heldSectors(): number {
    let sectors = 0;
    for (const { policy, write } of this.#entries) {
      if (policy !== null) sectors += write.sectorCount;
    }
    return sectors;
  }

  /** `done` when it landed. The data must stay as they are until then. */
  pass(write: Write, done: Done): void {
    const entry = this.#add(write, null);
    entry.onEnd.push(done);
    this.#start([entry]);
  }

  /** Takes a write that the caller acknowledges at once; the data are the store's from now on. */
  hold(write: Write, policy: HoldPolicy): void {
    for (const older of policy.coveredBy(write)) this.#forget(older);
    const entry = this.#add(write, policy);
    policy.add(entry);
    if (policy.limits.ms !== null) {
      const delayMs = policy.limits.ms * policy.prng.float();
      entry.timer = this.#clock.after(delayMs, () => this.#start([entry]));
    }
    this.#keepLimits(policy);
  }

  #keepLimits(policy: HoldPolicy): void {
    for (let entry = policy.excess(); entry; entry = policy.excess()) this.#start([entry]);
  }

  /** As the device below answers, under what was acknowledged by now. */
  read(range: ReadRange, done: Done): void {
    const newer = [...this.#entries].filter(
      ({ policy, write }) => policy !== null && overlaps(write, range),
    );
    const bio = takeBio();
    bio.op = Op.read;
    bio.sector = range.sector + this.#offsetSectors;
    bio.sectorCount = range.sectorCount;
    bio.data = range.data;
    bio.dataOffset = range.dataOffset;
    bio.device = this.#device;
    bio.onEnd = (ended) => {
      const { error } = ended;
      recycleBio(ended);
      if (error === 0) for (const { write } of newer) overlay(write, range);
      done(error);
    };
    this.#device.submit(bio);
  }

  flush(done: Done): void {
    const acknowledged = [...this.#entries].filter(
      ({ policy, state }) =>
        policy !== null && (state === 'started' || !policy.limits.ignoresFlush),
    );
    this.#startAll(acknowledged, () => this.#flushBelow(done));
  }

  #flushBelow(done: Done): void {
    const lateErrno = this.#lateErrno;
    this.#lateErrno = 0;
    const bio = takeBio();
    bio.op = Op.flush;
    bio.sector = 0;
    bio.sectorCount = 0;
    bio.data = NO_DATA;
    bio.device = this.#device;
    bio.onEnd = (ended) => {
      const { error } = ended;
      recycleBio(ended);
      done(lateErrno === 0 ? error : lateErrno);
    };
    this.#device.submit(bio);
  }

  /** Resolves when all that was acknowledged has landed. */
  landAll(): Promise<void> {
    return new Promise((resolve) => {
      const acknowledged = [...this.#entries].filter(({ policy }) => policy !== null);
      this.#startAll(acknowledged, resolve);
    });
  }

  /** Forgets what is held, but for writes that survive: each with this probability, and they land in any order. */
  drop(keepProbability: number, prng: Prng): void {
    const survivors: Entry[] = [];
    for (const entry of [...this.#entries]) {
      if (entry.state !== 'held') continue;
      if (prng.chance(keepProbability))
        survivors.splice(prng.integer(0, survivors.length), 0, entry);
      else this.#forget(entry);
    }
    this.#lateErrno = 0;
    this.#start(survivors);
  }

  #add(write: Write, policy: HoldPolicy | null): Entry {
    const entry: Entry = {
      write,
      policy,
      state: 'held',
      waitingForCount: 0,
      waiters: [],
      onEnd: [],
      timer: null,
    };
    this.#entries.add(entry);
    return entry;
  }

  #startAll(entries: readonly Entry[], done: () => void): void {
    let count = entries.length;
    if (count === 0) done();
    for (const entry of entries) {
      entry.onEnd.push(() => {
        count -= 1;
        if (count === 0) done();
      });
    }
    this.#start(entries);
  }

  /** On their way, behind all earlier writes that they overlap, which are on their way then too. */
  #start(entries: readonly Entry[]): void {
    const starting = entries.toReversed();
    for (let entry = starting.pop(); entry; entry = starting.pop()) {
      if (entry.state !== 'held') continue;
      cancelTimer(entry);
      entry.policy?.start(entry);
      entry.state = 'started';
      for (const older of this.#entries) {
        if (older === entry) break;
        if (!overlaps(older.write, entry.write)) continue;
        older.waiters.push(entry);
        entry.waitingForCount += 1;
        if (older.state === 'held') starting.push(older);
      }
      if (entry.waitingForCount === 0) this.#ready.push(entry);
    }
    this.#run();
  }

  /** A loop: on a device that ends bios at once, a chain of waiting writes would be as many calls deep as it is long. */
  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let entry = this.#ready.shift(); entry; entry = this.#ready.shift()) this.#submit(entry);
    this.#isRunning = false;
  }

  #submit(entry: Entry): void {
    const { write } = entry;
    const bio = takeBio();
    bio.op = write.op;
    bio.flags = write.flags;
    bio.sector = write.sector + this.#offsetSectors;
    bio.sectorCount = write.sectorCount;
    bio.data = write.data;
    bio.dataOffset = write.dataOffset;
    bio.device = this.#device;
    bio.onEnd = (ended) => {
      const { error } = ended;
      recycleBio(ended);
      this.#ended(entry, error);
    };
    this.#device.submit(bio);
  }

  #ended(entry: Entry, errno: number): void {
    entry.state = 'ended';
    this.#entries.delete(entry);
    entry.policy?.end(entry);
    if (errno !== 0 && entry.policy !== null) this.#lateErrno = errno;
    for (const waiter of entry.waiters) {
      waiter.waitingForCount -= 1;
      if (waiter.waitingForCount === 0) this.#ready.push(waiter);
    }
    for (const done of entry.onEnd) done(errno);
    this.#run();
  }

  /** A held one that is not to land. Nobody waits for it: who does has started it. */
  #forget(entry: Entry): void {
    cancelTimer(entry);
    entry.policy?.forget(entry);
    entry.state = 'ended';
    this.#entries.delete(entry);
  }
}

function cancelTimer(entry: Entry): void {
  entry.timer?.cancel();
  entry.timer = null;
}

interface Range {
  sector: number;
  sectorCount: number;
}

function overlaps(a: Range, b: Range): boolean {
  return a.sector < b.sector + b.sectorCount && b.sector < a.sector + a.sectorCount;
}

/** What the write left in the sectors that both are about. */
function overlay(write: Write, range: ReadRange): void {
  const from = Math.max(write.sector, range.sector);
  const to = Math.min(write.sector + write.sectorCount, range.sector + range.sectorCount);
  const start = range.dataOffset + sectorsToBytes(from - range.sector);
  const length = sectorsToBytes(to - from);
  if (write.op !== Op.write) {
    range.data.fill(0, start, start + length);
    return;
  }
  const source = write.dataOffset + sectorsToBytes(from - write.sector);
  range.data.set(write.data.subarray(source, source + length), start);
}
