/** A simulated disk with the cells of the model for its sectors, and a way to it that a power failure closes for good. */

import type { Clock, Timer } from '../../base/clock.ts';
import { Errno } from '../../base/errors.ts';
import { createPrng, type Prng } from '../../base/prng.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import type { Bio } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import { SimulatedDisk } from '../../devices/simulated.ts';
import { exponentialLatency, type Fault, uniformLatency } from '../../devices/simulated-faults.ts';
import { ANYTHING, Cell } from './cell.ts';
import type { CellSlot } from './description.ts';
import type { Ledger } from './ledger.ts';
import { writeStamp } from './stamps.ts';
import type { Theme } from './theme.ts';
import { Trouble } from './trouble.ts';

const DISK_MAJOR = 251;
/** What a slow disk takes longer, at most. */
const SLOWNESS = 50;

/** Something that is so for a while. */
interface Condition {
  end(): void;
  timer: Timer;
}

export class Disk {
  readonly name: string;
  readonly trouble = new Trouble();
  readonly slots: readonly CellSlot[];
  readonly medium: SimulatedDisk;
  /** What it shows where it was discarded. */
  readonly discardedStamp: number;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #conditions = new Set<Condition>();
  #slowness = 1;

  constructor(options: {
    index: number;
    seed: number;
    clock: Clock;
    ledger: Ledger;
    theme: Theme;
    /** For what targets keep apart: nobody says what it shows. */
    isScratch?: boolean;
  }) {
    const { index, seed, clock, ledger, theme, isScratch = false } = options;
    const prng = createPrng((seed ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0);
    this.name = `disk${index}`;
    this.#ledger = ledger;
    this.#clock = clock;
    const latency = drawLatency(prng);
    const discarded = prng.pick(['zeroes', 'zeroes', 'garbage'] as const);
    const sizeSectors = isScratch
      ? prng.pick(theme.scratchSectors)
      : prng.integer(...theme.diskSectors);
    this.medium = new SimulatedDisk({
      sizeSectors,
      clock,
      prng,
      discarded,
      operand: this.name,
      number: { major: DISK_MAJOR, minor: index },
      historyLimit: 0,
      limits: prng.chance(0.1) ? { discardGranularityBytes: 0 } : {},
      ...(latency && {
        latency: (own: Prng, bio: Bio) => {
          return latency(own, bio) * (this.#slowness === 1 ? 1 : own.float() * this.#slowness);
        },
      }),
    });
    const stamps = !isScratch && prng.chance(0.8) ? ledger.takeStamps(sizeSectors, this.name) : 0;
    if (stamps !== 0) this.#fill(stamps);
    // What somebody had there before.
    if (isScratch && prng.chance(0.7)) {
      this.medium.poke(0, prng.fill(new Uint8Array(sectorsToBytes(sizeSectors))));
    }
    const troubles = [this.trouble];
    const discardedStamp = discarded === 'zeroes' ? 0 : ANYTHING;
    this.discardedStamp = discardedStamp;
    this.slots = Array.from({ length: sizeSectors }, (_, sector) => {
      const stamp = stamps === 0 ? 0 : stamps + sector;
      return { cell: new Cell(stamp, { discarded: discardedStamp }), lens: '', troubles };
    });
  }

  #fill(stamps: number): void {
    const bytes = new Uint8Array(sectorsToBytes(this.medium.sizeSectors));
    for (let sector = 0; sector < this.medium.sizeSectors; sector += 1) {
      writeStamp(bytes, sector * SECTOR_BYTES, stamps + sector);
    }
    this.medium.poke(0, bytes);
  }

  /** For one boot: once `isDark` says so, nothing comes through any more. */
  port(isDark: () => boolean): BlockDevice {
    const { medium } = this;
    const { number, operand, sizeSectors, limits, readOnly } = medium;
    const submit = (bio: Bio) => {
      if (isDark()) bio.end(Errno.EIO);
      else medium.submit(bio);
    };
    return { number, operand, sizeSectors, limits, readOnly, submit };
  }

  addFault(fault: Fault, durationMs: number): void {
    const remove = this.medium.addFault(fault);
    this.trouble.begin();
    this.#ledger.count('disk: fault');
    this.#forAWhile(durationMs, () => {
      remove();
      this.trouble.end(this.#ledger.step());
    });
  }

  stall(durationMs: number): void {
    this.medium.stall();
    this.#ledger.count('disk: stall');
    this.#forAWhile(durationMs, () => this.medium.unstall());
  }

  slow(durationMs: number): void {
    this.#slowness = SLOWNESS;
    this.#forAWhile(durationMs, () => {
      this.#slowness = 1;
    });
  }

  /** Whatever it is, a power failure ends it too. */
  #forAWhile(durationMs: number, end: () => void): void {
    const condition = {
      end,
      timer: this.#clock.after(durationMs, () => this.#endCondition(condition)),
    };
    this.#conditions.add(condition);
  }

  #endCondition(condition: Condition): void {
    condition.timer.cancel();
    this.#conditions.delete(condition);
    condition.end();
  }

  /** Of writes under way and unflushed, any part is there afterwards. */
  crash(): void {
    this.medium.crash('random');
    for (const condition of [...this.#conditions]) this.#endCondition(condition);
    for (const { cell } of this.slots) cell.crash();
  }

  powerOn(): void {
    this.medium.powerOn();
  }
}

function drawLatency(prng: Prng) {
  switch (prng.integer(0, 3)) {
    case 0:
      return null;
    case 1:
      return exponentialLatency(2);
    default:
      return uniformLatency(0, 5);
  }
}
