/** Which devices `devmapper serve` is asked to build, from its words. Pure: nothing is read or opened here. */

import { usageError } from './failure.ts';

export const DEFAULT_NAME = 'disk';

export type PlannedDevice =
  | { kind: 'table'; name: string; argument: string }
  /** Joined, in this order. */
  | { kind: 'images'; name: string; images: readonly string[] }
  /** Encrypted. `index`: which of the --luks options it is. */
  | { kind: 'luks'; name: string; image: string; index: number };

export interface ServeWords {
  /** Words that belong to no option. */
  operands: readonly string[];
  /** Of `--name`, `--table` and `--luks`, in their order. */
  names: readonly string[];
  tables: readonly string[];
  luks?: readonly string[];
}

/**
 * - `serve a.img b.img [--name NAME]`: one device, the images joined
 * - `serve [NAME] --table T`: one device
 * - `serve --name N1 --table T1 --name N2 --table T2`: several; later ones may stand on earlier ones
 * - `serve --luks IMAGE [--name NAME]`: one device; with tables too, the first names belong to the --luks images
 */
export function planDevices({ operands, names, tables, luks = [] }: ServeWords): PlannedDevice[] {
  if (luks.length > 0) return planLuks({ operands, names, tables, luks });
  if (tables.length === 0) return [planJoin(operands, names)];
  return planTables({ operands, names, tables });
}

function planLuks({ operands, names, tables, luks }: Required<ServeWords>): PlannedDevice[] {
  if (operands.length > 0) {
    throw usageError(
      `Cannot serve ${operands.join(' ')} together with --luks: expected options only`,
      'A key file: --key-file FILE. With tables: --name secret --luks IMAGE --name top --table TABLE',
    );
  }
  const isSingle = luks.length === 1 && tables.length === 0 && names.length === 0;
  const ownNames = isSingle ? [DEFAULT_NAME] : names.slice(0, luks.length);
  const images = luks.map((image, index) => ({
    kind: 'luks' as const,
    name: ownNames[index] ?? '',
    image,
    index,
  }));
  const rest = names.slice(luks.length);
  checkNames(isSingle ? ownNames : names, luks.length + tables.length);
  if (tables.length === 0) return images;
  return [...images, ...planTables({ operands, names: rest, tables })];
}

function checkNames(names: readonly string[], deviceCount: number): void {
  if (names.length !== deviceCount) {
    throw usageError(
      `Cannot tell which name belongs to which device: got ${count(names, 'name')} and ${deviceCount} devices`,
      'The first names belong to the --luks images, the others to the tables',
    );
  }
  refuseRepeated(names);
}

function refuseRepeated(names: readonly string[]): void {
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw usageError(`Cannot serve two devices named "${repeated}"`);
}

function planTables({ operands, names, tables }: ServeWords): PlannedDevice[] {
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
  refuseRepeated(allNames);
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
