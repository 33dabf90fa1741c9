/** Tables as callers give them, and as we give them back. */

import type { BlockDevice } from '../core/device.ts';
import { hideSecrets, showSecrets } from '../core/line-secrets.ts';
import type { RowSpec, Table } from '../core/table.ts';
import { parseTable } from '../core/table-text.ts';

/** Text, a row a line, as dmsetup reads it; or rows as objects. */
export type TableInput = string | readonly RowSpec[];

export interface StatusRow {
  start: number;
  length: number;
  type: string;
  /** What the target says about itself; empty for targets that say nothing. */
  status: string;
}

export function rowsOf(input: TableInput): readonly RowSpec[] {
  return typeof input === 'string' ? parseTable(input) : input;
}

/** One linear row for each device, in order, each as long as the device. */
export function joinedRows(devices: readonly BlockDevice[]): RowSpec[] {
  let start = 0;
  return devices.map(({ operand, sizeSectors }) => {
    const row = { start, length: sizeSectors, type: 'linear', params: `${operand} 0` };
    start += sizeSectors;
    return row;
  });
}

/** The rows of a table; with the keys printed so that they load to an equal table, without them with zeroes in their place. */
export function tableRows(table: Table, { showKeys }: { showKeys: boolean }): RowSpec[] {
  const print = showKeys ? showSecrets : hideSecrets;
  return table.rows.map(({ start, length, type, target }) => ({
    start,
    length,
    type,
    params: print(target.table(), target.secrets),
  }));
}

export function statusRows(table: Table): StatusRow[] {
  return table.rows.map(({ start, length, type, target }) => ({
    start,
    length,
    type,
    status: target.status?.() ?? '',
  }));
}
