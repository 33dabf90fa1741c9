/**
 * delay: each bio some time later. `<device> <offset> <delay> [<device> <offset> <delay> [<device> <offset> <delay>]]` for reads, writes
 * and flushes; what is left out is as what stands before it. Source: Documentation/admin-guide/device-mapper/delay.rst
 *
 * Invariants
 * - There is one timer, set for the bio that is due next.
 * - Of the bios that are due at one moment, the one that came first goes first.
 * - From presuspend to resume nothing is held.
 */

import type { Clock, Timer } from '../base/clock.ts';
import { type ArgumentReader, UINT_MAX } from '../core/arguments.ts';
import { type Bio, Op } from '../core/bio.ts';
import type { BlockDevice, DeviceRange } from '../core/device.ts';
import type { MapResult, PassThrough, Target, TargetContext, TargetType } from '../core/target.ts';
import { DelayQueue, type HeldBio } from './delay-queue.ts';

/** Longer ones fire at once; after one of these the rest is waited for. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Where one kind of bios goes, and how late. */
interface DelayClass {
  device: BlockDevice;
  offset: number;
  delayMs: number;
  readonly queue: DelayQueue;
}

class Delay implements Target {
  readonly #context: TargetContext;
  readonly #argumentCount: number;
  readonly #read: DelayClass;
  readonly #write: DelayClass;
  readonly #flush: DelayClass;
  readonly #classes: readonly DelayClass[];
  readonly #clock: Clock;
  #timer: Timer | null = null;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #arrivalCount = 0;
  #isDelaying = false;

  constructor(args: ArgumentReader, context: TargetContext) {
    const { count } = args;
    const isValid = count === 3 || count === 6 || count === 9;
    args.expectCount(isValid, 'Requires exactly 3, 6 or 9 arguments');
    this.#context = context;
    this.#clock = context.environment.clock;
    this.#argumentCount = count;
    this.#read = readClass(args);
    this.#write = args.remaining > 0 ? readClass(args) : { ...this.#read, queue: new DelayQueue() };
    this.#flush =
      args.remaining > 0 ? readClass(args) : { ...this.#write, queue: new DelayQueue() };
    this.#classes = [this.#read, this.#write, this.#flush];
  }

  map(bio: Bio): MapResult {
    const to = this.#classOf(bio);
    bio.device = to.device;
    if (bio.op !== Op.flush) bio.sector += to.offset - this.#context.start;
    if (to.delayMs === 0 || !this.#isDelaying) return 'remapped';
    this.#hold(bio, to);
    return 'submitted';
  }

  #classOf(bio: Bio): DelayClass {
    if (bio.op === Op.flush) return this.#flush;
    return bio.isWrite ? this.#write : this.#read;
  }

  #hold(bio: Bio, { queue, delayMs }: DelayClass): void {
    const dueMs = this.#clock.nowMs() + delayMs;
    this.#arrivalCount += 1;
    queue.add({ bio, dueMs, arrival: this.#arrivalCount });
    if (dueMs < this.#timerDueMs) this.#setTimer(dueMs);
  }

  #setTimer(dueMs: number): void {
    this.#cancelTimer();
    this.#timerDueMs = dueMs;
    const waitMs = Math.min(dueMs - this.#clock.nowMs(), MAX_TIMER_MS);
    this.#timer = this.#clock.after(waitMs, () => this.#timerFired());
  }

  #cancelTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
  }

  #timerFired(): void {
    this.#cancelTimer();
    this.#release(this.#clock.nowMs());
    // Timers may fire a little early, and what was let go may have brought the next.
    const next = this.#classes.map(({ queue }) => queue.first?.dueMs ?? Number.POSITIVE_INFINITY);
    const dueMs = Math.min(...next);
    if (dueMs < this.#timerDueMs) this.#setTimer(dueMs);
  }

  /** Sends below what is due at `nowMs`, in the order in which it came. */
  #release(nowMs: number): void {
    for (let held = this.#takeDue(nowMs); held !== undefined; held = this.#takeDue(nowMs)) {
      held.bio.device!.submit(held.bio);
    }
  }

  #takeDue(nowMs: number): HeldBio | undefined {
    let oldest: DelayQueue | undefined;
    for (const { queue } of this.#classes) {
      const { first } = queue;
      if (first === undefined || first.dueMs > nowMs) continue;
      if (oldest === undefined || first.arrival < oldest.first!.arrival) oldest = queue;
    }
    return oldest?.take();
  }

  resume(): void {
    this.#isDelaying = true;
  }

  presuspend(): void {
    this.#isDelaying = false;
    this.#cancelTimer();
    this.#release(Number.POSITIVE_INFINITY);
  }

  presuspendUndo(): void {
    this.resume();
  }

  passThrough(): PassThrough | null {
    const { device, offset, delayMs } = this.#read;
    if (delayMs > 0) return null;
    const write = this.#write;
    const isSame = write.device === device && write.offset === offset && write.delayMs === 0;
    return { device, sectors: offset - this.#context.start, ops: isSame ? 'all' : 'reads' };
  }

  table(): string {
    return this.#classes
      .slice(0, this.#argumentCount / 3)
      .map(({ device, offset, delayMs }) => `${device.operand} ${offset} ${delayMs}`)
      .join(' ');
  }

  status(): string {
    return this.#classes.map(({ queue }) => queue.count).join(' ');
  }

  devices(): DeviceRange[] {
    const lengthSectors = this.#context.length;
    return this.#classes.map(({ device, offset }) => {
      return { device, startSectors: offset, lengthSectors };
    });
  }
}

function readClass(args: ArgumentReader): DelayClass {
  const operand = args.word('device');
  const offset = args.sectors('offset', 'Invalid device sector');
  const delayMs = args.integer('delay', 'Invalid delay', { min: 0, max: UINT_MAX });
  return { device: args.open(operand), offset, delayMs, queue: new DelayQueue() };
}

export const delay: TargetType = {
  name: 'delay',
  version: [1, 5, 0],
  usage:
    '<device> <offset> <delay> [<write device> <offset> <delay> [<flush device> <offset> <delay>]]',
  summary: 'sends each request on some time later',
  features: ['owns-flush'],
  create: (args, context) => new Delay(args, context),
};
