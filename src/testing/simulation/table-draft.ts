/** A whole table that was drawn, and what it shows. */

import type { Prng } from '../../base/prng.ts';
import type { RowSpec } from '../../core/table.ts';
import type { Part, RowDraft, Slot } from './description.ts';

export class TableDraft {
  readonly rows: readonly RowDraft[];

  constructor(rows: readonly RowDraft[]) {
    this.rows = rows;
  }

  get sizeSectors(): number {
    return this.rows.reduce((sum, row) => sum + row.lengthSectors, 0);
  }

  get parts(): readonly Part[] {
    return this.rows.flatMap((row) => row.parts);
  }

  specs(): RowSpec[] {
    let start = 0;
    return this.rows.map(({ type, lengthSectors, params }) => {
      const spec = { start, length: lengthSectors, type, params };
      start += lengthSectors;
      return spec;
    });
  }

  /** `slotsOf`: what a part of a ground shows. */
  show(slotsOf: (part: Part) => readonly Slot[]): Slot[] {
    return this.rows.flatMap((row) => row.show(row.parts.map(slotsOf)));
  }

  /** Another table that shows the same. */
  equal(prng: Prng): TableDraft {
    return new TableDraft(
      this.rows.flatMap((row) => (row.cut && prng.chance(0.4) ? row.cut(prng) : [row])),
    );
  }

  /** As it is after the machine started again. */
  get reopened(): TableDraft {
    return new TableDraft(this.rows.map((row) => row.reopened ?? row.fresh ?? row));
  }

  /** It can be loaded beside itself, and shows the same then. */
  get isReloadable(): boolean {
    return this.rows.every(({ type, fresh, record, isPassing = false }) => {
      // As in a kernel, a merge has no second table that waits for it.
      if (type === 'snapshot-merge') return false;
      return fresh === undefined && (record !== undefined || !isPassing);
    });
  }

  /** Where each row begins, with the row. */
  starts(): { start: number; row: RowDraft; index: number }[] {
    let start = 0;
    return this.rows.map((row, index) => {
      const entry = { start, row, index };
      start += row.lengthSectors;
      return entry;
    });
  }

  replaceRow(index: number, row: RowDraft): TableDraft {
    return new TableDraft(this.rows.with(index, row));
  }

  toString(): string {
    return this.specs()
      .map(({ start, length, type, params }) => `${start} ${length} ${type} ${params}`.trimEnd())
      .join('; ');
  }
}

/** Whether each sector is the same cell, seen the same way. */
export function showSame(a: readonly Slot[], b: readonly Slot[]): boolean {
  return a.length === b.length && a.every((slot, index) => isSame(slot, b[index]!));
}

function isSame(a: Slot, b: Slot): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return a.cell === b.cell && a.lens === b.lens && a.isDoubtful === b.isDoubtful;
}
