/** Draws the next step of a history from what is there. */

import { Errno } from '../../base/errors.ts';
import type { Prng } from '../../base/prng.ts';
import { BioFlag, Op } from '../../core/bio.ts';
import type { Fault } from '../../devices/simulated-faults.ts';
import { ALWAYS, type RowDraft, type Slot, type TargetDescription } from './description.ts';
import { FreeParts, type Source } from './free-parts.ts';
import type { RequestSpec } from './request.ts';
import * as snapshotSteps from './snapshot-steps.ts';
import { drawLine, hasExceptions } from './snapshots.ts';
import type { Action } from './steps.ts';
import * as steps from './steps.ts';
import { TableDraft } from './table-draft.ts';
import type { Theme } from './theme.ts';
import type { Volume } from './volume.ts';
import type { World } from './world.ts';

/** Of those that requests go to. */
const VOLUME_LIMIT = 6;
const ROW_LIMIT = 5;
/** Of a COW device: a header, and an area of exceptions. */
const MIN_CHUNKS = 2;
/** So that most requests meet others. */
const HOT_SECTORS = 10;

/** How much of each kind a history has. */
interface Weighted<T> {
  readonly weight: number;
  readonly item: T;
}

export interface DrawingOptions {
  readonly descriptions: readonly TargetDescription[];
  readonly theme: Theme;
}

export class StepDrawing {
  readonly #world: World;
  readonly #prng: Prng;
  readonly #descriptions: readonly Weighted<TargetDescription>[];
  readonly #kinds: readonly Weighted<() => Action | null>[];
  readonly #isFaultless: boolean;
  /** Where nothing is lost and nothing fails by itself. */
  readonly #faithful: readonly Weighted<TargetDescription>[];
  readonly #hasCrashes: boolean;
  readonly #isAboutSnapshots: boolean;
  readonly #hotShare: number;
  readonly #hotSector: number;
  #volumeCount = 0;

  constructor(world: World, prng: Prng, options: DrawingOptions) {
    const { descriptions, theme } = options;
    this.#world = world;
    this.#prng = prng;
    this.#descriptions = descriptions.map((item) => ({ weight: item.weight, item }));
    this.#faithful = this.#descriptions.filter(({ item }) => FAITHFUL_TYPES.includes(item.name));
    this.#isAboutSnapshots = theme.name === 'snapshots';
    // Some histories have no faults, others no crashes: what is rare beside them is found too.
    const faults = this.#isAboutSnapshots ? prng.pick([0, 0, 0, 1, 2]) : prng.pick([0, 0, 1, 3]);
    this.#isFaultless = faults === 0;
    const crashes = prng.pick([0, 0, 1, 2]);
    this.#hasCrashes = crashes > 0;
    const admin = prng.pick([0.3, 1, 1, 3]);
    const hasSnapshots = descriptions.some(({ name }) => name === 'snapshot');
    this.#hotShare = this.#isAboutSnapshots ? 0.7 : prng.pick([0, 0.5]);
    this.#hotSector = prng.integer(0, 60);
    this.#kinds = [
      { weight: 70, item: () => this.#request() },
      { weight: 5 * admin, item: () => this.#suspend() },
      { weight: 6 * admin, item: () => this.#resume() },
      { weight: 4 * admin, item: () => this.#loadEqual() },
      { weight: 0.5 * admin, item: () => this.#clear() },
      { weight: 0.5 * admin, item: () => steps.restart },
      ...(this.#isAboutSnapshots ? [] : this.#generalKinds(admin)),
      ...(hasSnapshots ? this.#snapshotKinds() : []),
      { weight: 3 * faults, item: () => this.#fault() },
      { weight: 2 * faults, item: () => this.#stall() },
      { weight: 1.5 * crashes, item: () => steps.crash },
      { weight: 0.7, item: () => steps.verify },
    ];
  }

  #generalKinds(admin: number): Weighted<() => Action | null>[] {
    return [
      { weight: 4 * admin, item: () => this.#create() },
      { weight: 4 * admin, item: () => this.#change() },
      { weight: 3 * admin, item: () => this.#message() },
      { weight: 1 * admin, item: () => this.#remove() },
    ];
  }

  #snapshotKinds(): Weighted<() => Action | null>[] {
    if (!this.#isAboutSnapshots) {
      const share = this.#prng.pick([0, 1]);
      return [
        { weight: 2 * share, item: () => this.#createOrigin() },
        { weight: 3 * share, item: () => this.#snapshot() },
        { weight: 1 * share, item: () => this.#merge() },
        { weight: 1 * share, item: () => this.#endMerge() },
      ];
    }
    return [
      { weight: 1, item: () => this.#create() },
      { weight: 1, item: () => this.#createOrigin() },
      { weight: 8, item: () => this.#snapshot() },
      { weight: 3, item: () => this.#merge() },
      { weight: 4, item: () => this.#endMerge() },
      { weight: 60, item: () => this.#disturbMerge() },
      { weight: 2, item: () => this.#remove() },
    ];
  }

  next(): steps.Step {
    const waitMs = this.#prng.pick([0, 0, 0, 0, 0, 0, 0.5, 1, 1, 2, 2, 5, 5, 10, 10, 700]);
    return { ...this.#action(), waitMs };
  }

  #action(): Action {
    if (this.#volumes().length === 0) {
      const first = this.#isAboutSnapshots ? this.#createOrigin() : this.#create();
      return first ?? steps.verify;
    }
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
    const isHot = prng.chance(this.#hotShare);
    const low = isHot ? Math.min(this.#hotSector, size - sectorCount) : 0;
    const high = Math.min(size - sectorCount, isHot ? low + HOT_SECTORS : size);
    const sector = prng.integer(low, high) + beyond;
    const dataOffset = prng.pick([0, 0, 1, 512, 777]);
    return { op, flags, sector, sectorCount, dataOffset };
  }

  #create(): Action | null {
    if (this.#isFull) return null;
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

  get #isFull(): boolean {
    return this.#volumes().filter(({ isPrivate }) => !isPrivate).length >= VOLUME_LIMIT;
  }

  #createOrigin(): Action | null {
    if (this.#isFull) return null;
    // Nobody else may write below an origin.
    const draft = this.#faithfulTable('disks');
    if (draft === null) return null;
    this.#volumeCount += 1;
    return snapshotSteps.createOrigin(`v${this.#volumeCount}`, draft);
  }

  #snapshot(): Action | null {
    const prng = this.#prng;
    const origin = this.#pick((each) => each.isSettled && hasRow(each, 'snapshot-origin'));
    const cow = origin && (prng.chance(0.6) ? this.#scratch() : this.#faithfulTable('scratch'));
    const line = drawLine(prng);
    if (!cow || this.#sizeOf(cow) < MIN_CHUNKS * line.chunkSectors) return null;
    this.#volumeCount += 1;
    const own = `s${this.#volumeCount}`;
    const suspend = prng.pick(['flush', 'flush', 'no flush', 'none'] as const);
    const plan = { own, cow, line, suspend };
    return snapshotSteps.snapshot(origin.name, plan);
  }

  #sizeOf(cow: string | TableDraft): number {
    return typeof cow === 'string' ? this.#world.slotsOf(cow).length : cow.sizeSectors;
  }

  #scratch(): string | null {
    const drawing = new FreeParts(this.#world, this.#prng, { isFaultless: true });
    return drawing.takeScratch()?.ground ?? null;
  }

  #merge(): Action | null {
    const snapshot = this.#pick((each) => each.isSettled && hasRow(each, 'snapshot'));
    return snapshot && snapshotSteps.merge(snapshot.name);
  }

  #endMerge(): Action | null {
    const merging = this.#pick((each) => each.isSettled && hasRow(each, 'snapshot-merge'));
    return merging && snapshotSteps.endMerge(merging.name);
  }

  /** While one is under way, which is not long. */
  #disturbMerge(): Action | null {
    const prng = this.#prng;
    const isUnderWay = ({ type, record }: RowDraft) =>
      type === 'snapshot-merge' && hasExceptions(this.#world.statusOf(record!));
    const isMerging = ({ live }: Volume) => live?.rows.some(isUnderWay) === true;
    const origin = this.#pick(isMerging);
    if (origin === null) return null;
    const kind = prng.pick(['crash', 'fault', 'stall', 'request', 'request', 'suspend', 'restart']);
    if (kind === 'crash' && this.#hasCrashes) return steps.crash;
    if (kind === 'fault' && !this.#isFaultless) return this.#fault();
    if (kind === 'suspend') return steps.suspend(origin.name, prng.chance(0.5));
    if (kind === 'restart') return steps.restart;
    return kind === 'stall' ? this.#stall() : steps.request(origin.name, this.#spec(origin));
  }

  #remove(): Action | null {
    const isUnused = (each: Volume) => this.#world.usersOf(each).length === 0;
    // What was below one that is gone makes room first.
    const volume =
      this.#pick((each) => each.isPrivate && each.next === null && isUnused(each)) ??
      this.#pick((each) => isUnused(each) && (!this.#hasSnapshot(each) || this.#prng.chance(0.1)));
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

  #hasSnapshot({ operand }: Volume): boolean {
    return this.#world.volumes.some(
      ({ live }) => live?.rows[0]?.record?.real === `${operand}-real`,
    );
  }

  /** `replaced`: what its tables use is free too. */
  #table(options: { replaced?: Volume } = {}): TableDraft | null {
    const isFaultless = this.#isFaultless;
    const drawing = new FreeParts(this.#world, this.#prng, { isFaultless, ...options });
    return this.#rows(drawing, this.#descriptions, ROW_LIMIT);
  }

  /** One that keeps what it is told to. */
  #faithfulTable(from: Source): TableDraft | null {
    const isFaultless = this.#isFaultless;
    const drawing = new FreeParts(this.#world, this.#prng, { isFaultless, from });
    const draft = this.#rows(drawing, this.#faithful, 2 * ROW_LIMIT);
    if (draft === null || draft.parts.length === 0) return null;
    return this.#world.show(draft).slots.every(isFaithful) ? draft : null;
  }

  #rows(
    drawing: FreeParts,
    descriptions: readonly Weighted<TargetDescription>[],
    limit: number,
  ): TableDraft | null {
    const prng = this.#prng;
    const rows: RowDraft[] = [];
    for (let count = prng.integer(1, limit); count > 0; count -= 1) {
      const description = pickWeighted(descriptions, prng);
      if (description.isAlone && rows.length > 0) continue;
      const row = description.draw(drawing);
      if (row) rows.push(row);
      if (row && description.isAlone) break;
    }
    return rows.length === 0 ? null : new TableDraft(rows);
  }
}

/** Some of what they make is not. */
const FAITHFUL_TYPES = [
  ...['linear', 'striped', 'unstriped', 'delay', 'crypt', 'dust', 'switch', 'chaos', 'log-writes'],
];

function isFaithful(slot: Slot): boolean {
  return typeof slot !== 'string' && slot.isDoubtful !== true && !slot.troubles.includes(ALWAYS);
}

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
