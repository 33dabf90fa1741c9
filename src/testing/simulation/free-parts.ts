/** What nobody uses yet of the disks and volumes that are there. */

import type { Prng } from '../../base/prng.ts';
import type { Drawing, Part } from './description.ts';
import type { Volume } from './volume.ts';
import type { World } from './world.ts';

interface Ground {
  readonly operand: string;
  /** 1 for each sector that something uses. */
  readonly used: Uint8Array;
}

/** `scratch`: disks for what targets keep apart. */
export type Source = 'anywhere' | 'disks' | 'scratch';

interface FreePartsOptions {
  readonly isFaultless: boolean;
  readonly from?: Source;
  /** What its tables use is free too. */
  readonly replaced?: Volume;
}

export class FreeParts implements Drawing {
  readonly prng: Prng;
  readonly isFaultless: boolean;
  readonly #grounds: Ground[];
  readonly #scratch: readonly Ground[];

  constructor(world: World, prng: Prng, options: FreePartsOptions) {
    const { isFaultless, replaced, from = 'anywhere' } = options;
    this.prng = prng;
    this.isFaultless = isFaultless;
    this.#scratch = world.scratchDisks.map(groundOf);
    this.#grounds = from === 'scratch' ? [...this.#scratch] : world.disks.map(groundOf);
    if (from === 'anywhere') {
      const isGround = (volume: Volume) =>
        volume !== replaced &&
        !volume.isPrivate &&
        volume.isSettled &&
        !standsOn(world, volume, replaced);
      for (const volume of world.volumes) {
        if (isGround(volume))
          this.#grounds.push(groundOf({ name: volume.operand, slots: volume.slots }));
      }
    }
    for (const volume of world.allVolumes) {
      if (volume === replaced) continue;
      for (const { parts } of volume.drafts) for (const part of parts) this.#use(part);
    }
  }

  #use({ ground, startSectors, lengthSectors }: Part): void {
    const all = new Set([...this.#grounds, ...this.#scratch]);
    for (const { operand, used } of all) {
      if (operand === ground) used.fill(1, startSectors, startSectors + lengthSectors);
    }
  }

  take(lengthSectors: number, { onDisk } = { onDisk: false }): Part | null {
    const { prng } = this;
    const places = this.#grounds.flatMap(({ operand, used }) => {
      if (onDisk && operand.startsWith('mapper/')) return [];
      const start = freeRun(used, lengthSectors, prng.integer(0, 3));
      return start === null ? [] : [{ operand, start }];
    });
    if (places.length === 0 || lengthSectors === 0) return null;
    // The last made is the highest: stacks grow.
    const { operand, start } = prng.chance(0.4) ? places.at(-1)! : prng.pick(places);
    const part = { ground: operand, startSectors: start, lengthSectors };
    this.#use(part);
    return part;
  }

  takeStart(lengthSectors: number): Part | null {
    const isFree = ({ used }: Ground) =>
      used.length >= lengthSectors && !used.subarray(0, lengthSectors).includes(1);
    const found = this.#grounds.filter(isFree);
    if (found.length === 0) return null;
    const { operand } = this.prng.pick(found);
    const part = { ground: operand, startSectors: 0, lengthSectors };
    this.#use(part);
    return part;
  }

  takeScratch(): Part | null {
    const found = this.#scratch.find(({ used }) => !used.includes(1));
    if (!found) return null;
    const part = { ground: found.operand, startSectors: 0, lengthSectors: found.used.length };
    this.#use(part);
    return part;
  }
}

function groundOf({ name, slots }: Pick<Volume, 'name' | 'slots'>): Ground {
  return { operand: name, used: new Uint8Array(slots.length) };
}

/** The first free run so long, `gap` sectors into it where that leaves enough. */
function freeRun(used: Uint8Array, lengthSectors: number, gap: number): number | null {
  let free = 0;
  for (let sector = 0; sector < used.length; sector += 1) {
    free = used[sector] === 0 ? free + 1 : 0;
    const isEnd = sector + 1 === used.length || used[sector + 1] !== 0;
    if (free >= lengthSectors && (isEnd || free === lengthSectors + gap))
      return sector + 1 - lengthSectors;
  }
  return null;
}

function standsOn(world: World, volume: Volume, base: Volume | undefined): boolean {
  if (base === undefined) return false;
  const users = world.usersOf(base);
  return users.includes(volume) || users.some((user) => standsOn(world, volume, user));
}
