/** How a rule holds acknowledged writes back, and what it holds now: never more than its limits, and as much again on its way down. */

import type { Prng } from '../../base/prng.ts';
import { BioFlag, Op } from '../../core/bio.ts';
import type { HoldLimits } from './rule.ts';
import type { Write } from './write.ts';
import type { Entry } from './write-store.ts';

export class HoldPolicy {
  readonly limits: HoldLimits;
  readonly prng: Prng;
  /** In the order they came. */
  readonly #held = new Set<Entry>();
  #heldSectors = 0;
  #landingSectors = 0;
  #landingCount = 0;

  constructor(limits: HoldLimits, prng: Prng) {
    this.limits = limits;
    this.prng = prng;
  }

  /** Not a discard, which is a hint only; not what must be durable at once; not more than there is room for. */
  takes(write: Write): boolean {
    const { sectors, writes, ignoresFua } = this.limits;
    if (write.op === Op.discard || (write.flags & BioFlag.fastZero) !== 0) return false;
    if ((write.flags & BioFlag.fua) !== 0 && !ignoresFua) return false;
    return this.#landingCount < writes && this.#landingSectors + write.sectorCount <= sectors;
  }

  add(entry: Entry): void {
    this.#held.add(entry);
    this.#heldSectors += entry.write.sectorCount;
  }

  /** One that must land because there are too many. */
  excess(): Entry | undefined {
    const { writes, sectors, order } = this.limits;
    if (this.#held.size <= writes && this.#heldSectors <= sectors) return undefined;
    if (order === 'random') return this.prng.pick([...this.#held]);
    return this.#held.values().next().value;
  }

  /** Those that would be written over whole. */
  coveredBy(write: Write): Entry[] {
    const end = write.sector + write.sectorCount;
    return [...this.#held].filter(
      ({ write: { sector, sectorCount } }) => sector >= write.sector && sector + sectorCount <= end,
    );
  }

  start(entry: Entry): void {
    this.forget(entry);
    this.#landingCount += 1;
    this.#landingSectors += entry.write.sectorCount;
  }

  end(entry: Entry): void {
    this.#landingCount -= 1;
    this.#landingSectors -= entry.write.sectorCount;
  }

  forget(entry: Entry): void {
    if (this.#held.delete(entry)) this.#heldSectors -= entry.write.sectorCount;
  }
}
