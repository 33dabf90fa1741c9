/**
 * A disk that exists only in memory and time: latency, errors, stalls, a volatile write cache, and power failure, all from
 * an injected clock and seed, so that a failure can be run again.
 */

import type { Clock, Timer } from '../base/clock.ts';
import { Errno, errnoName } from '../base/errors.ts';
import type { Prng } from '../base/prng.ts';
import { sectorsToBytes } from '../base/units.ts';
import { type Bio, BioFlag, OP_NAMES, Op } from '../core/bio.ts';
import type { DeviceNumber } from '../core/device.ts';
import { ExtentFlag, type ExtentList } from '../core/extents.ts';
import { DEFAULT_LIMITS, type Limits } from '../core/limits.ts';
import type { LeafDevice } from './device-kind.ts';
import { isPrefetch, refusalOf } from './leaf-bio.ts';
import { type CrashOutcome, SimulatedContent } from './simulated-content.ts';
import { type Fault, type FaultEffect, FaultPlan, type Latency } from './simulated-faults.ts';

export interface SimulatedDiskOptions {
  sizeSectors: number;
  clock: Clock;
  prng: Prng;
  /** Default: none, bios end before `submit` returns. */
  latency?: Latency;
  number?: DeviceNumber;
  /** Default: `sim`. */
  operand?: string;
  limits?: Partial<Limits>;
  readOnly?: boolean;
  /** What discarded sectors read as. Default: zeroes; garbage finds those who rely on it. */
  discarded?: 'zeroes' | 'garbage';
  /** How many of the last events `history` keeps. */
  historyLimit?: number;
}

interface Pending {
  bio: Bio;
  effect: FaultEffect | null;
  /** What a flush makes durable: all that had ended when it came. */
  flushSequence: number;
  timer: Timer | null;
}

type OpName = (typeof OP_NAMES)[number];

export class SimulatedDisk implements LeafDevice {
  readonly number: DeviceNumber;
  readonly operand: string;
  readonly sizeSectors: number;
  readonly limits: Limits;
  readonly readOnly: boolean;
  /** Bios that were submitted, by operation. */
  readonly counts: Record<OpName, number>;
  /** Bios that ended with an error, for whatever reason. */
  errorCount = 0;
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #latency: Latency | null;
  readonly #discarded: 'zeroes' | 'garbage';
  readonly #historyLimit: number;
  readonly #content: SimulatedContent;
  readonly #faults: FaultPlan;
  readonly #pending = new Set<Pending>();
  readonly #history: string[] = [];
  #held: Pending[] = [];
  #isStalled = false;
  #hasPower = true;
  #closed = false;
  #idle: (() => void) | null = null;

  constructor(options: SimulatedDiskOptions) {
    this.number = options.number ?? { major: 251, minor: 0 };
    this.operand = options.operand ?? 'sim';
    this.sizeSectors = options.sizeSectors;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.readOnly = options.readOnly ?? false;
    this.counts = Object.fromEntries(OP_NAMES.map((name) => [name, 0])) as Record<OpName, number>;
    this.#clock = options.clock;
    this.#prng = options.prng;
    this.#latency = options.latency ?? null;
    this.#discarded = options.discarded ?? 'zeroes';
    this.#historyLimit = options.historyLimit ?? 200;
    this.#content = new SimulatedContent(options.sizeSectors);
    this.#faults = new FaultPlan(options.prng);
  }

  get inFlightCount(): number {
    return this.#pending.size;
  }

  /** Ended writes that a crash could lose. */
  get volatileCount(): number {
    return this.#content.volatileCount;
  }

  /** The last events, oldest first, for failure messages. */
  get history(): readonly string[] {
    return this.#history;
  }

  /** Returns the function that removes the fault. */
  addFault(fault: Fault): () => void {
    return this.#faults.add(fault);
  }

  /** Nothing ends any more until `unstall`. */
  stall(): void {
    this.#isStalled = true;
    this.#log('stall');
  }

  /** Ends what was held, also by faults, in the order it was held. */
  unstall(): void {
    this.#isStalled = false;
    this.#log('unstall');
    const held = this.#held;
    this.#held = [];
    for (const pending of held) if (this.#pending.has(pending)) this.#complete(pending);
  }

  /** A copy of what reads would see. */
  peek(startSectors: number, lengthSectors: number): Uint8Array {
    const start = sectorsToBytes(startSectors);
    return this.#content.current.slice(start, start + sectorsToBytes(lengthSectors));
  }

  /** Puts content there as if it had always been. */
  poke(startSectors: number, bytes: Uint8Array): void {
    this.#content.write(startSectors, bytes.slice(), { durable: true });
    this.#setAllocated(startSectors, bytes.byteLength / 512, 1);
  }

  /** The power goes: what is under way fails, and so does all that comes, until `powerOn`. */
  crash(outcome: CrashOutcome = 'random'): void {
    this.#hasPower = false;
    const pending = [...this.#pending];
    this.#pending.clear();
    this.#held = [];
    const underWay = pending.filter(isSurvivable).map(({ bio }) => ({
      startSectors: bio.sector,
      bytes: this.#bytesOf(bio),
    }));
    this.#log(`crash, ${this.volatileCount} volatile, ${underWay.length} writes under way`);
    for (const line of this.#content.crash(outcome, this.#prng, underWay)) this.#log(line);
    for (const { bio, timer } of pending) {
      timer?.cancel();
      this.#end(bio, Errno.EIO);
    }
    this.#idle?.();
  }

  powerOn(): void {
    this.#hasPower = true;
    this.#isStalled = false;
    this.#log('power on');
  }

  submit(bio: Bio): void {
    this.counts[OP_NAMES[bio.op]] += 1;
    const error = this.#closed || !this.#hasPower ? Errno.EIO : refusalOf(this, bio);
    if (error !== 0) {
      this.#end(bio, error);
      return;
    }
    const effect = this.#faults.effectOn(bio);
    const flushSequence = this.#content.lastSequence;
    const pending: Pending = { bio, effect, flushSequence, timer: null };
    this.#pending.add(pending);
    if (effect?.kind === 'stall') this.#hold(pending);
    else if (this.#latency === null) this.#arrive(pending);
    else {
      const delayMs = this.#latency(this.#prng, bio);
      pending.timer = this.#clock.after(delayMs, () => this.#arrive(pending));
    }
  }

  /** The disk is done with it. */
  #arrive(pending: Pending): void {
    if (this.#isStalled) this.#hold(pending);
    else this.#complete(pending);
  }

  #hold(pending: Pending): void {
    this.#log(`${describe(pending.bio)} held`);
    this.#held.push(pending);
  }

  #complete(pending: Pending): void {
    this.#pending.delete(pending);
    const { bio, effect } = pending;
    const error = effect?.kind === 'error' ? effect.errno : this.#perform(pending);
    this.#end(bio, error);
    if (this.#pending.size === 0) this.#idle?.();
  }

  #perform({ bio, effect, flushSequence }: Pending): number {
    const isLost = effect?.kind === 'lose';
    if (bio.op === Op.read) {
      if (!isPrefetch(bio)) bio.data.set(this.peek(bio.sector, bio.sectorCount), bio.dataOffset);
    } else if (bio.op === Op.blockStatus) {
      if (bio.extents) this.#describe(bio, bio.extents);
    } else if (bio.op === Op.flush) {
      if (!isLost) this.#content.flushUpTo(flushSequence);
    } else if (bio.op === Op.discard && this.limits.discardGranularityBytes === 0) {
      return Errno.ENOTSUP;
    } else if (!isLost) {
      const durable = (bio.flags & BioFlag.fua) !== 0;
      this.#content.write(bio.sector, this.#bytesOf(bio), { durable });
      this.#setAllocated(bio.sector, bio.sectorCount, isDeallocating(bio) ? 0 : 1);
    }
    return 0;
  }

  /** What a write of any kind leaves in its sectors. */
  #bytesOf(bio: Bio): Uint8Array {
    if (bio.op === Op.write) {
      return bio.data.slice(bio.dataOffset, bio.dataOffset + bio.lengthBytes);
    }
    const bytes = new Uint8Array(bio.lengthBytes);
    return bio.op === Op.discard && this.#discarded === 'garbage' ? this.#prng.fill(bytes) : bytes;
  }

  #setAllocated(startSectors: number, lengthSectors: number, value: 0 | 1): void {
    this.#content.allocated.fill(value, startSectors, startSectors + lengthSectors);
  }

  #describe(bio: Bio, extents: ExtentList): void {
    const { allocated } = this.#content;
    const isZero = this.#discarded === 'zeroes';
    const flags = ExtentFlag.hole | (isZero ? ExtentFlag.zero : 0);
    for (let index = 0; index < bio.sectorCount; index += 1) {
      if (allocated[bio.sector + index] === 0) extents.add(index, 1, flags);
    }
  }

  #end(bio: Bio, errno: number): void {
    if (errno !== 0) this.errorCount += 1;
    this.#log(`${describe(bio)} ${errno === 0 ? 'ok' : errnoName(errno)}`);
    bio.end(errno);
  }

  #log(event: string): void {
    this.#history.push(`${this.#clock.nowMs().toFixed(3)} ms: ${event}`);
    if (this.#history.length > this.#historyLimit) this.#history.shift();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#pending.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }
}

function describe(bio: Bio): string {
  const flags = (bio.flags & BioFlag.fua) !== 0 ? ' fua' : '';
  return `${OP_NAMES[bio.op]} ${bio.sector}+${bio.sectorCount}${flags}`;
}

function isDeallocating(bio: Bio): boolean {
  return bio.op === Op.discard || (bio.op === Op.writeZeroes && !(bio.flags & BioFlag.noUnmap));
}

/** Something under way that may have reached the medium. */
function isSurvivable({ bio, effect }: Pending): boolean {
  if (bio.op !== Op.write && bio.op !== Op.writeZeroes && bio.op !== Op.discard) return false;
  return effect === null || effect.kind === 'stall';
}
