/**
 * Snapshots in the model: each has sectors of its own, which begin as what its origin shows at that moment.
 *
 * An origin is a volume `NAME-real`, which nobody else uses, under a volume `NAME` with a snapshot-origin row. COW devices are
 * scratch disks, or volumes `NAME-cow` on them that nobody else uses either.
 */

import type { Prng } from '../../base/prng.ts';
import { Cell } from './cell.ts';
import {
  type CellSlot,
  cutLinear,
  type Part,
  type Possibility,
  type RowDraft,
  type Slot,
} from './description.ts';

export interface SnapshotLine {
  readonly store: 'P' | 'PO' | 'N';
  readonly chunkSectors: number;
  readonly features: string;
  /** What a later table says, which the store knows better. */
  readonly laterChunkSectors: number;
}

export interface SnapshotOptions {
  /** All of what it keeps its own in. */
  cow: Part;
  real: string;
  line: SnapshotLine;
  origin: readonly Slot[];
  /** Of both. */
  troubles: readonly Possibility[];
  /** What a discarded part of a chunk shows. */
  discarded: number;
  startTick: number;
  /** What `dmsetup status` prints of it now. */
  statusOf: (record: SnapshotRecord) => string;
}

/** What is on a COW device, whoever shows it. */
export class SnapshotRecord {
  readonly cow: Part;
  readonly real: string;
  readonly line: SnapshotLine;
  readonly slots: readonly CellSlot[];
  /** A write to it that waits for the merge fails with it. */
  isMerging = false;
  readonly #options: SnapshotOptions;
  readonly #mayOverflow: boolean;
  #wasInvalid = false;

  constructor(options: SnapshotOptions) {
    const { cow, real, line, origin, discarded } = options;
    this.cow = cow;
    this.real = real;
    this.line = line;
    this.#options = options;
    // Header, areas, and a chunk for each of the origin.
    const chunkCount = Math.ceil(origin.length / line.chunkSectors);
    const areaCount = Math.ceil(chunkCount / (line.chunkSectors * 32)) + 1;
    const neededSectors = (chunkCount + areaCount + 3) * line.chunkSectors;
    this.#mayOverflow = neededSectors > cow.lengthSectors;
    const troubles: readonly Possibility[] = [this];
    this.slots = origin.map((slot) => {
      const lens = typeof slot === 'string' ? '' : slot.lens;
      return { cell: new Cell(0, { lens, discarded }), lens, troubles, ignoresDiscards: true };
    });
  }

  /** While something below fails; and ever after it has become invalid or full for a reason. */
  since(tick: number): boolean {
    if (this.#hadTrouble(this.isMerging ? this.#options.startTick : tick)) return true;
    const mayBreak = this.#mayOverflow || this.#hadTrouble(this.#options.startTick);
    return mayBreak && BROKEN.includes(this.#options.statusOf(this));
  }

  #hadTrouble(since: number): boolean {
    return this.#options.troubles.some((trouble) => trouble.since(since));
  }

  /** `status`: before everything is closed. */
  lookAt(status: string): void {
    this.#wasInvalid = status === 'Invalid';
  }

  /** It was invalid, and the COW device could not be told: nobody knows what it shows. */
  isLost(status: string): boolean {
    return this.#wasInvalid && status !== 'Invalid' && this.#hadTrouble(this.#options.startTick);
  }

  /** This is the moment that it keeps. */
  take(origin: readonly Slot[], tick: number): void {
    inheritAll(this.slots, origin, tick);
  }

  /** The origin is what the snapshot was. */
  giveBack(real: readonly Slot[], tick: number): void {
    inheritAll(real, this.slots, tick);
  }

  /** It was being merged, and nobody shows it any more. */
  leaveHalfMerged(real: readonly Slot[]): void {
    this.slots.forEach(({ cell }, index) => {
      const slot = real[index]!;
      if (typeof slot !== 'string') slot.cell.blend(cell);
    });
  }

  crash(): void {
    for (const { cell } of this.slots) cell.crash();
  }
}

function inheritAll(to: readonly Slot[], from: readonly Slot[], tick: number): void {
  to.forEach((slot, index) => {
    const other = from[index]!;
    if (typeof slot !== 'string' && typeof other !== 'string') slot.cell.inherit(other.cell, tick);
  });
}

const BROKEN = ['Invalid', 'Overflow', 'Merge failed'];

/** What a status says, for statistics. */
export function outcomeOf(status: string): string {
  if (!status.includes('/')) return status;
  return hasExceptions(status) ? 'with exceptions' : 'without exceptions';
}

/** More is used than what says where it is. */
export function hasExceptions(status: string): boolean {
  const numbers = /^(\d+)\/\d+ (\d+)$/.exec(status);
  return numbers !== null && numbers[1] !== numbers[2];
}

export function drawLine(prng: Prng): SnapshotLine {
  const chunks = [1, 1, 2, 4, 8, 8, 16];
  const chunkSectors = prng.pick(chunks);
  return {
    store: prng.pick(['P', 'P', 'P', 'PO', 'N']),
    chunkSectors,
    features: prng.pick(['', '', ' 1 discard_zeroes_cow']),
    laterChunkSectors: prng.chance(0.7) ? chunkSectors : prng.pick(chunks),
  };
}

/** A sector is the same one below, whatever the row begins with. */
export function originRow(real: string, lengthSectors: number, startSectors = 0): RowDraft {
  const part = { ground: real, startSectors, lengthSectors };
  return {
    type: 'snapshot-origin',
    lengthSectors,
    params: real,
    parts: [part],
    show: ([slots]) => slots!,
    cut: cutLinear(part, (piece) => originRow(real, piece.lengthSectors, piece.startSectors)),
  };
}

export function snapshotRow(
  type: 'snapshot' | 'snapshot-merge',
  record: SnapshotRecord,
  chunkSectors = record.line.chunkSectors,
): RowDraft {
  const { cow, real, line, slots } = record;
  const { store, features, laterChunkSectors } = line;
  return {
    type,
    lengthSectors: slots.length,
    params: `${real} ${cow.ground} ${store} ${chunkSectors}${features}`,
    parts: [{ ground: real, startSectors: 0, lengthSectors: slots.length }, cow],
    troubles: [record],
    record,
    isPassing: store === 'N',
    show: () => slots,
    ...(chunkSectors !== laterChunkSectors && {
      reopened: snapshotRow(type, record, laterChunkSectors),
    }),
  };
}

/** A snapshot that gave what it had to a merge: it answers as an invalid one, and still has its devices open. */
export function givenAwayRow(row: RowDraft): RowDraft {
  const { type, lengthSectors, params, parts } = row;
  return {
    type,
    lengthSectors,
    params,
    parts,
    isPassing: true,
    show: () => new Array<Slot>(lengthSectors).fill('error'),
  };
}
