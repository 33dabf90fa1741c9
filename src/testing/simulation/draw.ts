/** Draws the next step of a history from what is there. */

import { Errno } from '../../base/errors.ts';
import type { Prng } from '../../base/prng.ts';
import { BioFlag, Op } from '../../core/bio.ts';
import type { Fault } from '../../devices/simulated-faults.ts';
import type { Drawing, Part, RowDraft, TargetDescription } from './description.ts';
import type { RequestSpec } from './request.ts';
import * as snapshotSteps from './snapshot-steps.ts';
import { drawLine } from './snapshots.ts';
import type { Action } from './steps.ts';
import * as steps from './steps.ts';
import { TableDraft } from './table-draft.ts';
import type { Volume } from './volume.ts';
import type { World } from './world.ts';

const VOLUME_LIMIT = 6;
const ROW_LIMIT = 5;

/** How much of each kind a history has. */
interface Weighted<T> {
  readonly weight: number;
  readonly item: T;
}

export class StepDrawing {
  readonly #world: World;
  readonly #prng: Prng;
  readonly #descriptions: readonly Weighted<TargetDescription>[];
  readonly #kinds: readonly Weighted<() => Action | null>[];
  readonly #isFaultless: boolean;
  #volumeCount = 0;

  constructor(world: World, prng: Prng, descriptions: readonly TargetDescription[]) {
    this.#world = world;
    this.#prng = prng;
    this.#descriptions = descriptions.map((item) => ({ weight: item.weight, item }));
    // Some histories have no faults, others no crashes: what is rare beside them is found too.
    const faults = prng.pick([0, 0, 1, 3]);
    this.#isFaultless = faults === 0;
    const crashes = prng.pick([0, 0, 1, 2]);
    const hasSnapshots = descriptions.some(({ name }) => name === 'snapshot');
    const snapshots = hasSnapshots ? prng.pick([0, 1, 3]) : 0;
    const admin = prng.pick([0.3, 1, 1, 3]);
    this.#kinds = [
      { weight: 70, item: () => this.#request() },
      { weight: 4 * admin, item: () => this.#create() },
      { weight: 5 * admin, item: () => this.#suspend() },
      { weight: 6 * admin, item: () => this.#resume() },
      { weight: 4 * admin, item: () => this.#loadEqual() },
      { weight: 0.5 * admin, item: () => this.#clear() },
      { weight: 4 * admin, item: () => this.#change() },
      { weight: 3 * admin, item: () => this.#message() },
      { weight: 1 * admin, item: () => this.#remove() },
      ...(snapshots > 0
        ? [
            { weight: 2 * snapshots, item: () => this.#createOrigin() },
            { weight: 4 * snapshots, item: () => this.#snapshot() },
            { weight: 2 * snapshots, item: () => this.#merge() },
            { weight: 2 * snapshots, item: () => this.#endMerge() },
          ]
        : []),
      { weight: 3 * faults, item: () => this.#fault() },
      { weight: 2 * faults, item: () => this.#stall() },
      { weight: 1.5 * crashes, item: () => steps.crash },
      { weight: 0.7, item: () => steps.verify },
    ];
  }

  next(): steps.Step {
    const waitMs = this.#prng.pick([0, 0, 0, 0, 0, 0, 0.5, 1, 1, 2, 2, 5, 5, 10, 10, 700]);
    return { ...this.#action(), waitMs };
  }

  #action(): Action {
    if (this.#volumes().length === 0) return this.#create() ?? steps.verify;
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const action = pickWeighted(this.#kinds, this.#prng)();
      if (action) return action;
    }
    return steps.verify;
  }

  #volumes(): Volume[] {
    return this.#world.volumes.filter(({ isRemoved }) => !isRemoved);
  }

  #pick(condition: (volume: Volume) => boolean): Volume | null {
    const found = this.#volumes().filter(condition);
    return found.length === 0 ? null : this.#prng.pick(found);
  }

  #request(): Action | null {
    const volume = this.#pick(({ live, isPrivate }) => live !== null && !isPrivate);
    return volume && steps.request(volume.name, this.#spec(volume));
  }

  #spec(volume: Volume): RequestSpec {
    const prng = this.#prng;
    const op = prng.pick(OPS);
    const flags = prng.pick(FLAGS_OF[op]);
    if (op === Op.flush) return { op, flags, sector: 0, sectorCount: 0, dataOffset: 0 };
    const size = volume.slots.length;
    const sectorCount = prng.integer(1, prng.chance(0.8) ? Math.min(size, 8) : size);
    const beyond = prng.chance(0.02) ? prng.integer(1, 8) : 0;
    const sector = prng.integer(0, size - sectorCount) + beyond;
    const dataOffset = prng.pick([0, 0, 1, 512, 777]);
    return { op, flags, sector, sectorCount, dataOffset };
  }

  #create(): Action | null {
    if (this.#volumes().length >= VOLUME_LIMIT) return null;
    const draft = this.#table();
    if (draft === null) return null;
    this.#volumeCount += 1;
    return steps.createVolume(`v${this.#volumeCount}`, draft);
  }

  #suspend(): Action | null {
    const volume = this.#pick(({ live }) => live !== null);
    return volume && steps.suspend(volume.name, this.#prng.chance(0.5));
  }

  #resume(): Action | null {
    const volume = this.#pick(({ device }) => device.suspended || device.inactive !== null);
    return volume && steps.resume(volume.name);
  }

  #loadEqual(): Action | null {
    const volume = this.#pick(({ isSettled, live }) => isSettled && live!.isReloadable);
    return volume && steps.loadEqual(volume.name, this.#prng.uint32());
  }

  #clear(): Action | null {
    const volume = this.#pick(({ device }) => device.inactive !== null);
    return volume && steps.clear(volume.name);
  }

  #change(): Action | null {
    const prng = this.#prng;
    const volume = this.#pick((each) => isFree(each, this.#world));
    const draft = volume && this.#table({ replaced: volume });
    if (!draft) return null;
    const options = {
      suspends: prng.chance(0.6),
      noflush: prng.chance(0.5),
      restMs: prng.pick([0, 1, 5]),
    };
    return steps.change(volume.name, draft, options);
  }

  #message(): Action | null {
    const volume = this.#pick(
      (each) => isFree(each, this.#world) && each.live!.rows.some((row) => row.message),
    );
    if (volume === null) return null;
    const { row, index } = this.#prng.pick(
      volume.live!.starts().filter(({ row: each }) => each.message),
    );
    const { argv, after } = row.message!(this.#prng);
    return steps.message(volume.name, index, argv, { before: row, after });
  }

  #createOrigin(): Action | null {
    if (this.#volumes().length >= VOLUME_LIMIT) return null;
    // Nobody else may write below an origin.
    const draft = this.#table({ onDisk: true });
    if (draft === null || draft.rows.some(({ type }) => !REAL_TYPES.includes(type))) return null;
    this.#volumeCount += 1;
    return snapshotSteps.createOrigin(`v${this.#volumeCount}`, draft);
  }

  #snapshot(): Action | null {
    const origin = this.#pick((each) => each.isSettled && hasRow(each, 'snapshot-origin'));
    const drawing = new FreeParts(this.#world, this.#prng, { isFaultless: true });
    const cow = origin && drawing.takeScratch();
    if (!cow) return null;
    this.#volumeCount += 1;
    const line = drawLine(this.#prng);
    return snapshotSteps.snapshot(origin.name, `s${this.#volumeCount}`, cow.ground, line);
  }

  #merge(): Action | null {
    const snapshot = this.#pick((each) => each.isSettled && hasRow(each, 'snapshot'));
    return snapshot && snapshotSteps.merge(snapshot.name);
  }

  #endMerge(): Action | null {
    const merging = this.#pick((each) => each.isSettled && hasRow(each, 'snapshot-merge'));
    return merging && snapshotSteps.endMerge(merging.name);
  }

  #remove(): Action | null {
    const volume = this.#pick((each) => this.#world.usersOf(each).length === 0);
    return volume && steps.remove(volume.name);
  }

  #fault(): Action {
    const prng = this.#prng;
    const disk = prng.pick(this.#world.allDisks);
    const what: Fault = {
      effect: { kind: 'error', errno: prng.pick([Errno.EIO, Errno.ENOSPC, Errno.ETIMEDOUT]) },
    };
    if (prng.chance(0.6)) what.op = prng.pick([Op.read, Op.write, Op.write, Op.flush]);
    if (prng.chance(0.4)) {
      what.startSectors = prng.integer(0, disk.slots.length - 1);
      what.lengthSectors = prng.integer(1, disk.slots.length);
    }
    if (prng.chance(0.4)) what.nth = prng.integer(1, 5);
    else if (prng.chance(0.7)) what.probability = prng.pick([0.1, 0.5]);
    return steps.fault(disk.name, what, prng.pick([1, 5, 20, 50]));
  }

  #stall(): Action {
    const prng = this.#prng;
    const { name } = prng.pick(this.#world.allDisks);
    const step = prng.pick([steps.stall, steps.slow]);
    return step(name, prng.pick([1, 10, 50, 200]));
  }

  /** `replaced`: what its tables use is free too. `onDisk`: not on other volumes. */
  #table(options: { replaced?: Volume; onDisk?: boolean } = {}): TableDraft | null {
    const prng = this.#prng;
    const isFaultless = this.#isFaultless;
    const drawing = new FreeParts(this.#world, prng, { isFaultless, ...options });
    const rows: RowDraft[] = [];
    for (let count = prng.integer(1, ROW_LIMIT); count > 0; count -= 1) {
      const description = pickWeighted(this.#descriptions, prng);
      if (description.isAlone && rows.length > 0) continue;
      const row = description.draw(drawing);
      if (row) rows.push(row);
      if (row && description.isAlone) break;
    }
    return rows.length === 0 ? null : new TableDraft(rows);
  }
}

/** What an origin is made of here: nothing that reads as it likes. */
const REAL_TYPES = ['linear', 'striped', 'unstriped', 'delay'];

function hasRow({ live }: Volume, type: string): boolean {
  return live!.rows[0]!.type === type;
}

/** Its table may be changed for another. */
function isFree(volume: Volume, world: World): boolean {
  const { isSettled, live, isPrivate } = volume;
  if (!isSettled || isPrivate || world.usersOf(volume).length > 0) return false;
  return !live!.rows.some(({ type }) => type.startsWith('snapshot'));
}

const OPS = [
  ...[Op.read, Op.read, Op.read, Op.write, Op.write, Op.write, Op.write],
  ...[Op.discard, Op.writeZeroes, Op.blockStatus, Op.flush],
];
const FLAGS_OF = {
  [Op.read]: [0],
  [Op.write]: [0, 0, BioFlag.fua],
  [Op.flush]: [0],
  [Op.discard]: [0],
  [Op.writeZeroes]: [0, BioFlag.noUnmap, BioFlag.fua],
  [Op.blockStatus]: [0],
};

function pickWeighted<T>(items: readonly Weighted<T>[], prng: Prng): T {
  let left = prng.float() * items.reduce((sum, { weight }) => sum + weight, 0);
  for (const { weight, item } of items) {
    left -= weight;
    if (left < 0) return item;
  }
  return items.at(-1)!.item;
}

interface Ground {
  readonly operand: string;
  /** 1 for each sector that something uses. */
  readonly used: Uint8Array;
}

/** Disks and volumes with what nobody uses of them. */
class FreeParts implements Drawing {
  readonly prng: Prng;
  readonly isFaultless: boolean;
  readonly #onDisk: boolean;
  readonly #grounds: Ground[] = [];
  readonly #scratch: Ground[] = [];

  constructor(
    world: World,
    prng: Prng,
    options: { isFaultless: boolean; replaced?: Volume; onDisk?: boolean },
  ) {
    const { isFaultless, replaced, onDisk = false } = options;
    this.prng = prng;
    this.#onDisk = onDisk;
    this.isFaultless = isFaultless;
    for (const { name, slots } of world.disks) this.#add(name, slots.length);
    for (const { name, slots } of world.scratchDisks)
      this.#addTo(this.#scratch, name, slots.length);
    for (const volume of world.volumes) {
      if (
        volume === replaced ||
        volume.isPrivate ||
        !volume.isSettled ||
        standsOn(world, volume, replaced)
      )
        continue;
      this.#add(volume.operand, volume.slots.length);
    }
    for (const volume of world.volumes) {
      if (volume === replaced) continue;
      for (const { parts } of volume.drafts) for (const part of parts) this.#use(part);
    }
  }

  #add(operand: string, sizeSectors: number): void {
    this.#addTo(this.#grounds, operand, sizeSectors);
  }

  #addTo(list: Ground[], operand: string, sizeSectors: number): void {
    list.push({ operand, used: new Uint8Array(sizeSectors) });
  }

  #use({ ground, startSectors, lengthSectors }: Part): void {
    const all = [...this.#grounds, ...this.#scratch];
    const found = all.find(({ operand }) => operand === ground);
    found?.used.fill(1, startSectors, startSectors + lengthSectors);
  }

  take(lengthSectors: number, { onDisk } = { onDisk: false }): Part | null {
    const { prng } = this;
    const places = this.#grounds.flatMap(({ operand, used }) => {
      if ((onDisk || this.#onDisk) && operand.startsWith('mapper/')) return [];
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
