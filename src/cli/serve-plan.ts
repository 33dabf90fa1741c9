/** Which devices `devmapper serve` is asked to build, from its words. Pure: nothing is read or opened here. */

import { usageError } from './failure.ts';

export const DEFAULT_NAME = 'disk';

export type PlannedDevice =
  | { kind: 'table'; name: string; argument: string }
  /** Joined, in this order. */
  | { kind: 'images'; name: string; images: readonly string[] };

export interface ServeWords {
  /** Words that belong to no option. */
  operands: readonly string[];
  /** Of `--name` and `--table`, in their order. */
  names: readonly string[];
  tables: readonly string[];
}

/**
 * - `serve a.img b.img [--name NAME]`: one device, the images joined
 * - `serve [NAME] --table T`: one device
 * - `serve --name N1 --table T1 --name N2 --table T2`: several; later ones may stand on earlier ones
 */
export function planDevices({ operands, names, tables }: ServeWords): PlannedDevice[] {
  if (tables.length === 0) return [planJoin(operands, names)];
  if (operands.length > 1) {
    throw usageError(
      `Cannot serve ${operands.join(' ')} together with --table: expected at most one word, the NAME`,
      'Either name images to join, or give tables: a table says itself which images it uses.',
    );
  }
  const allNames = [...operands, ...names];
  if (allNames.length === 0 && tables.length === 1) allNames.push(DEFAULT_NAME);
  if (allNames.length !== tables.length) {
    throw usageError(
      `Cannot tell which table belongs to which name: got ${count(allNames, 'name')} and ${count(tables, 'table')}`,
      'Give pairs: --name base --table TABLE --name top --table TABLE',
    );
  }
  const repeated = allNames.find((name, index) => allNames.indexOf(name) !== index);
  if (repeated !== undefined) throw usageError(`Cannot serve two devices named "${repeated}"`);
  return tables.map((argument, index) => ({ kind: 'table', name: allNames[index]!, argument }));
}

function planJoin(operands: readonly string[], names: readonly string[]): PlannedDevice {
  if (operands.length === 0) {
    throw usageError(
      'Nothing to serve: expected image files to join, or --table',
      'devmapper serve a.img b.img',
      "devmapper serve disk --table '0 2048 linear a.img 0'",
    );
  }
  if (names.length > 1) {
    throw usageError(`Images are joined to one device, got ${names.length} names for it`);
  }
  return { kind: 'images', name: names[0] ?? DEFAULT_NAME, images: operands };
}

function count(items: readonly unknown[], noun: string): string {
  return `${items.length} ${noun}${items.length === 1 ? '' : 's'}`;
}
