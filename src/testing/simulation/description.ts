/** How a target describes itself to the simulation: how to draw a row of it, and what the row's sectors show. */

import type { Prng } from '../../base/prng.ts';
import type { Cell } from './cell.ts';
import type { SnapshotRecord } from './snapshots.ts';

/** Whether requests that were under way at `tick` or later could fail. */
export interface Possibility {
  since(tick: number): boolean;
}

export const ALWAYS: Possibility = { since: () => true };

/** A sector of memory under a row, seen through what encrypts it on the way. */
export interface CellSlot {
  readonly cell: Cell;
  readonly lens: string;
  /** Of whatever can make I/O to it fail. */
  readonly troubles: readonly Possibility[];
  /** Writes and flushes that end well may have done nothing. */
  readonly isDoubtful?: boolean;
  /** A discard that ends well may have done nothing. */
  readonly ignoresDiscards?: boolean;
}

/**
 * `zero` reads zeroes and takes writes; `anything` takes them too and reads as it likes; `unknown` does as it likes in all; `error` fails.
 */
export type Slot = CellSlot | 'zero' | 'anything' | 'unknown' | 'error';

/** A run of a disk or of another volume. */
export interface Part {
  readonly ground: string;
  readonly startSectors: number;
  readonly lengthSectors: number;
}

/** A row of a table that is valid for the grounds it was drawn for. Immutable. */
export interface RowDraft {
  readonly type: string;
  readonly lengthSectors: number;
  readonly params: string;
  readonly parts: readonly Part[];
  /** What the row's sectors show, told what the parts' sectors show. */
  show(parts: readonly (readonly Slot[])[]): readonly Slot[];
  /** What can make flushes fail besides what is below. */
  readonly troubles?: readonly Possibility[];
  /** Two rows that show the same, if it can be cut. */
  cut?(prng: Prng): readonly RowDraft[];
  /** A message, and the row that it makes of this one. */
  message?(prng: Prng): { argv: readonly string[]; after: RowDraft };
  /** Of a snapshot. */
  readonly record?: SnapshotRecord;
  /** After a power failure it cannot be opened again, nor can its table be loaded once more. */
  readonly isPassing?: boolean;
  /** What a reload, which forgets messages, makes of it; default: the same. */
  readonly fresh?: RowDraft;
  /** With what words it is opened when the machine starts again; default: `fresh`. */
  readonly reopened?: RowDraft;
}

export interface Drawing {
  readonly prng: Prng;
  /** No disk fails in this history. */
  readonly isFaultless: boolean;
  /** A run that nothing uses yet, or null when there is none so long. */
  take(lengthSectors: number, options?: { onDisk: boolean }): Part | null;
  /** The same, from the very start of a ground. */
  takeStart(lengthSectors: number): Part | null;
  /** A disk for what targets keep apart, all of it. */
  takeScratch(): Part | null;
}

export interface TargetDescription {
  readonly name: string;
  /** How often it is drawn, compared with the others. */
  readonly weight: number;
  /** Its rows are only right at the start of a table, and stay alone there. */
  readonly isAlone?: boolean;
  /** null: not with what there is. */
  draw(drawing: Drawing): RowDraft | null;
}

/** The operand for a part, as tables name disks and volumes alike. */
export function operandOf({ ground }: Part): string {
  return ground;
}

/** Its sectors from `from` on. */
export function slicePart(part: Part, from: number, lengthSectors: number): Part {
  return { ...part, startSectors: part.startSectors + from, lengthSectors };
}

/**
 * The cut of a row that shows one part, sector by sector: `make` makes it again of a piece, which begins at sector `at` of it.
 */
export function cutLinear(part: Part, make: (piece: Part, at: number) => RowDraft) {
  const { lengthSectors } = part;
  return (prng: Prng): RowDraft[] => {
    if (lengthSectors === 1) return [make(part, 0)];
    const at = prng.integer(1, lengthSectors - 1);
    return [make(slicePart(part, 0, at), 0), make(slicePart(part, at, lengthSectors - at), at)];
  };
}

/** All of the parts, or null when one is missing. */
export function takeAll(drawing: Drawing, count: number, lengthSectors: number): Part[] | null {
  const parts: Part[] = [];
  for (let index = 0; index < count; index += 1) {
    const part = drawing.take(lengthSectors);
    if (part === null) return null;
    parts.push(part);
  }
  return parts;
}
