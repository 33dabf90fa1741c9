/**
 * Snapshots in the model: each has sectors of its own, which begin as what its origin shows at that moment.
 *
 * An origin is a volume `NAME-real`, which nobody else uses, under a volume `NAME` with a snapshot-origin row. COW devices are scratch disks.
 */

import type { Prng } from '../../base/prng.ts';
import { ANYTHING, Cell } from './cell.ts';
import type { CellSlot, Part, Possibility, RowDraft, Slot } from './description.ts';
import type { Disk } from './disk.ts';

export interface SnapshotLine {
  readonly store: 'P' | 'PO' | 'N';
  readonly chunkSectors: number;
  readonly features: string;
}

/** What is on a COW device, whoever shows it. */
export class SnapshotRecord {
  readonly cow: Disk;
  readonly real: string;
  readonly line: SnapshotLine;
  readonly slots: readonly CellSlot[];
  /** Once it could fail, it can for good: it may have become invalid. */
  readonly #troubles: readonly Possibility[];
  readonly #mayOverflow: boolean;
  readonly #startTick: number;

  constructor(options: {
    cow: Disk;
    real: string;
    line: SnapshotLine;
    origin: readonly Slot[];
    troubles: readonly Possibility[];
    startTick: number;
  }) {
    const { cow, real, line, origin, troubles, startTick } = options;
    this.cow = cow;
    this.real = real;
    this.line = line;
    this.#troubles = [cow.trouble, ...troubles];
    this.#startTick = startTick;
    // Header, areas, and a chunk for each of the origin.
    const chunkCount = Math.ceil(origin.length / line.chunkSectors);
    const areaCount = Math.ceil(chunkCount / (line.chunkSectors * 32)) + 1;
    const neededSectors = (chunkCount + areaCount + 3) * line.chunkSectors;
    this.#mayOverflow = neededSectors > cow.slots.length;
    const own: readonly Possibility[] = [this];
    this.slots = origin.map(() => {
      return { cell: new Cell(0, { discarded: ANYTHING }), lens: '', troubles: own };
    });
  }

  /** Of a history without faults, and with room for everything. */
  get isSafe(): boolean {
    return !this.since(0);
  }

  since(_tick: number): boolean {
    return this.#mayOverflow || this.#troubles.some((trouble) => trouble.since(this.#startTick));
  }

  /** This is the moment that it keeps. */
  take(origin: readonly Slot[], tick: number): void {
    inheritAll(this.slots, origin, tick);
  }

  /** The origin is what the snapshot was. */
  giveBack(real: readonly Slot[], tick: number): void {
    inheritAll(real, this.slots, tick);
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

export function drawLine(prng: Prng): SnapshotLine {
  return {
    store: prng.pick(['P', 'P', 'PO', 'N']),
    chunkSectors: prng.pick([1, 2, 4, 8, 8, 16]),
    features: prng.pick(['', '', ' 1 discard_zeroes_cow']),
  };
}

function whole(ground: string, lengthSectors: number): Part {
  return { ground, startSectors: 0, lengthSectors };
}

export function originRow(real: string, lengthSectors: number): RowDraft {
  return {
    type: 'snapshot-origin',
    lengthSectors,
    params: real,
    parts: [whole(real, lengthSectors)],
    show: ([slots]) => slots!,
  };
}

export function snapshotRow(type: 'snapshot' | 'snapshot-merge', record: SnapshotRecord): RowDraft {
  const { cow, real, line, slots } = record;
  return {
    type,
    lengthSectors: slots.length,
    params: `${real} ${cow.name} ${line.store} ${line.chunkSectors}${line.features}`,
    parts: [whole(real, slots.length), whole(cow.name, cow.slots.length)],
    troubles: [record],
    record,
    isPassing: line.store === 'N',
    show: () => slots,
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
