/**
 * flakey: linear that is unreliable now and then. `<device> <offset> <up interval> <down interval> [<#features> <features>]`
 * Source: Documentation/admin-guide/device-mapper/dm-flakey.rst
 *
 * Invariants
 * - Whether a bio meets a device that is up is decided once, when it comes, by the clock of that moment.
 * - No other thread passes by a device that is not up: those that do stop a little before it goes down.
 * - Data of a write are never changed; a copy is.
 */

import type { Timer } from '../../base/clock.ts';
import { type ArgumentReader, UINT_MAX } from '../../core/arguments.ts';
import { type Bio, BioFlag, Op } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import type {
  MapResult,
  PassThrough,
  Target,
  TargetContext,
  TargetType,
} from '../../core/target.ts';
import { corrupts, drawReplacements, submitCorrupted } from './corruption.ts';
import { type FlakeyFeatures, printFeatures, readFeatures } from './features.ts';
import { UpDown, type UpDownSeconds } from './up-down.ts';

/** So long before the device goes down, other threads leave it to this one, which looks at the clock for each bio. */
const GUARD_MS = 20;
/** Longer ones fire at once; after one of these the rest is waited for. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** A moment that is ahead by a rounding error only would be waited for again and again without time passing. */
const MIN_TIMER_MS = 1;

class Flakey implements Target {
  readonly #context: TargetContext;
  readonly #device: BlockDevice;
  readonly #offset: number;
  readonly #shift: number;
  readonly #seconds: UpDownSeconds;
  readonly #times: UpDown;
  readonly #features: FlakeyFeatures;
  #timer: Timer | null = null;

  constructor(args: ArgumentReader, context: TargetContext) {
    args.expectCount(args.count >= 4);
    const operand = args.word('device');
    this.#offset = args.sectors('offset', 'Invalid device sector');
    this.#seconds = readIntervals(args);
    this.#features = readFeatures(args);
    this.#device = args.open(operand);
    this.#context = context;
    this.#shift = this.#offset - context.start;
    this.#times = new UpDown(context.environment.clock, this.#seconds);
  }

  map(bio: Bio): MapResult {
    bio.device = this.#device;
    bio.sector += bio.op === Op.flush ? 0 : this.#shift;
    if (this.#times.isUp()) return 'remapped';
    return bio.isWrite ? this.#mapWriteDown(bio) : this.#mapReadDown(bio);
  }

  #mapReadDown(bio: Bio): MapResult {
    if (this.#features.errorReads) return 'kill';
    if (!corrupts(this.#features, 'r')) return 'remapped';
    if (bio.op === Op.read) return this.#corrupt(bio);
    // A hole need not read as one.
    bio.extents?.add(0, bio.sectorCount, 0);
    bio.end(0);
    return 'submitted';
  }

  /** Flushes and discards are writes too, without data to corrupt. */
  #mapWriteDown(bio: Bio): MapResult {
    if (this.#features.errorWrites) return 'kill';
    if (this.#features.dropWrites) {
      bio.end(0);
      return 'submitted';
    }
    return bio.op === Op.write ? this.#corrupt(bio) : 'remapped';
  }

  #corrupt(bio: Bio): MapResult {
    // It brings no data here.
    if ((bio.flags & BioFlag.prefetch) !== 0) return 'remapped';
    const { memory, environment } = this.#context;
    const replacements = drawReplacements(this.#features, bio, environment.prng);
    if (replacements.length === 0) return 'remapped';
    submitCorrupted(bio, replacements, memory);
    return 'submitted';
  }

  passThrough(): PassThrough | null {
    const isUp = this.#times.msUntilDown() > GUARD_MS;
    const readsFail = this.#features.errorReads || corrupts(this.#features, 'r');
    if (!isUp && readsFail) return null;
    return { device: this.#device, sectors: this.#shift, ops: isUp ? 'all' : 'reads' };
  }

  resume(): void {
    if (this.#times.changes) this.#waitForChange();
  }

  #waitForChange(): void {
    const ms = this.#times.msUntilDown() - GUARD_MS;
    const untilMs = ms > 0 ? ms : this.#times.msUntilNextUp();
    const delayMs = Math.min(Math.max(untilMs, MIN_TIMER_MS), MAX_TIMER_MS);
    const renew = () => {
      this.#waitForChange();
      void this.#context.renewCopies();
    };
    const { clock } = this.#context.environment;
    this.#timer = clock.after(delayMs, renew, { background: true });
  }

  postsuspend(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  close(): void {
    this.postsuspend();
  }

  table(): string {
    const { up, down } = this.#seconds;
    const features = printFeatures(this.#features);
    return `${this.#device.operand} ${this.#offset} ${up} ${down} ${features}`;
  }

  devices() {
    const { length } = this.#context;
    return [{ device: this.#device, startSectors: this.#offset, lengthSectors: length }];
  }
}

function readIntervals(args: ArgumentReader): UpDownSeconds {
  const range = { min: 0, max: UINT_MAX };
  const up = args.integer('up interval', 'Invalid up interval', range);
  // The kernel too has these words for both.
  const down = args.integer('down interval', 'Invalid up interval', range);
  if (up + down === 0) throw args.error('Total (up + down) interval is zero');
  if (up + down > UINT_MAX) {
    const detail = `${up} + ${down} seconds, expected at most ${UINT_MAX}`;
    throw args.error('Interval overflow', detail);
  }
  return { up, down };
}

export const flakey: TargetType = {
  name: 'flakey',
  version: [1, 5, 0],
  usage: '<device> <offset> <up interval> <down interval> [<#features> <features>]',
  summary: 'fails, drops or corrupts I/O at intervals',
  features: ['owns-flush'],
  create: (args, context) => new Flakey(args, context),
};
