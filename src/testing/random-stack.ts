/**
 * Random stacks of mapped devices over disks of random bytes, and where each sector of them is, found by counting sectors
 * one by one instead of by the arithmetic of the targets.
 *
 * Every part of a disk is used once at most, so that two requests that do not overlap on top do not overlap below.
 */

import type { Prng } from '../base/prng.ts';
import type { RowSpec } from '../core/table.ts';
import type { Place } from './model.ts';

/** Something a table can stand on: a disk or a mapped device. */
export interface Ground {
  operand: string;
  sizeSectors: number;
  /** Where its sectors are. */
  places: readonly Place[];
  /** First sector that nothing uses yet. */
  used: number;
}

/** A row with what its sectors show. */
export interface ModelRow {
  type: string;
  params: string;
  places: Place[];
  /** The row may be cut in two at multiples of this many sectors; `cut` makes the second half's arguments. */
  cutSectors?: number;
  cut?: (at: number) => string;
  /** Of a switch: what each path shows. */
  regionSectors?: number;
  paths?: Place[][];
}

export interface ModelTable {
  rows: RowSpec[];
  places: Place[];
  /** Where the rows of the model begin that a message can change. */
  switches: { start: number; row: ModelRow }[];
}

/** Takes `length` unused sectors, from a ground that has them, or gives null. */
function take(grounds: readonly Ground[], length: number, prng: Prng) {
  const fitting = grounds.filter(({ sizeSectors, used }) => sizeSectors - used >= length);
  if (fitting.length === 0 || length === 0) return null;
  const ground = prng.pick(fitting);
  const gap = Math.min(prng.integer(0, 3), ground.sizeSectors - ground.used - length);
  const start = ground.used + gap;
  ground.used = start + length;
  return { operand: ground.operand, start, places: ground.places.slice(start, start + length) };
}

function linearRow(grounds: readonly Ground[], prng: Prng): ModelRow | null {
  const part = take(grounds, prng.integer(1, 60), prng);
  if (!part) return null;
  const cut = (at: number) => `${part.operand} ${part.start + at}`;
  return { type: 'linear', params: cut(0), places: part.places, cutSectors: 1, cut };
}

function stripedRow(grounds: readonly Ground[], prng: Prng): ModelRow | null {
  const stripeCount = prng.integer(1, 4);
  const chunk = prng.integer(1, 9);
  const chunkCount = prng.integer(1, 6);
  const parts = Array.from({ length: stripeCount }, () => take(grounds, chunk * chunkCount, prng));
  const stripes = parts.filter((part) => part !== null);
  if (stripes.length < stripeCount) return null;
  const places: Place[] = [];
  for (let number = 0; number < chunkCount; number += 1) {
    for (const stripe of stripes)
      places.push(...stripe.places.slice(number * chunk).slice(0, chunk));
  }
  const cut = (at: number) => {
    const skipped = at / stripeCount;
    return `${stripeCount} ${chunk} ${stripes.map(({ operand, start }) => `${operand} ${start + skipped}`).join(' ')}`;
  };
  return { type: 'striped', params: cut(0), places, cutSectors: chunk * stripeCount, cut };
}

function unstripedRow(grounds: readonly Ground[], prng: Prng): ModelRow | null {
  const stripeCount = prng.integer(1, 3);
  const chunk = prng.integer(1, 7);
  const chunkCount = prng.integer(1, 5);
  const index = prng.integer(0, stripeCount - 1);
  const part = take(grounds, stripeCount * chunk * chunkCount, prng);
  if (!part) return null;
  const places = part.places.filter(
    (_, sector) => Math.floor(sector / chunk) % stripeCount === index,
  );
  const cut = (at: number) =>
    `${stripeCount} ${chunk} ${index} ${part.operand} ${part.start + at * stripeCount}`;
  return { type: 'unstriped', params: cut(0), places, cutSectors: chunk, cut };
}

/** With its paths in turn, as it begins. */
function switchRow(grounds: readonly Ground[], prng: Prng): ModelRow | null {
  const region = prng.integer(1, 8);
  const length = prng.integer(1, 40);
  const paths = Array.from({ length: prng.integer(1, 3) }, () => take(grounds, length, prng));
  const found = paths.filter((path) => path !== null);
  if (found.length < paths.length) return null;
  const places = Array.from({ length }, (_, sector) => {
    return found[Math.floor(sector / region) % found.length]!.places[sector]!;
  });
  const operands = found.map(({ operand, start }) => `${operand} ${start}`).join(' ');
  return {
    type: 'switch',
    params: `${found.length} ${region} 0 ${operands}`,
    places,
    regionSectors: region,
    paths: found.map((path) => path.places),
  };
}

function plainRow(type: 'zero' | 'error', prng: Prng): ModelRow {
  const places = new Array<Place>(prng.integer(1, 20)).fill(type);
  return { type, params: '', places, cutSectors: 1, cut: () => '' };
}

const MAKERS = [linearRow, linearRow, stripedRow, stripedRow, unstripedRow, switchRow];

/** One to eight rows over what the grounds have left. */
export function randomRows(grounds: readonly Ground[], prng: Prng): ModelRow[] {
  const rows: ModelRow[] = [];
  for (let count = prng.integer(1, 8); count > 0; count -= 1) {
    if (prng.chance(0.1)) rows.push(plainRow(prng.pick(['zero', 'zero', 'error']), prng));
    const row = prng.pick(MAKERS)(grounds, prng);
    if (row) rows.push(row);
  }
  return rows.length > 0 ? rows : [plainRow('zero', prng)];
}

/** A table of the rows, some of them cut in two: another table each time, with every sector in the same place. */
export function tableOf(rows: readonly ModelRow[], prng: Prng): ModelTable {
  const specs: RowSpec[] = [];
  const switches: ModelTable['switches'] = [];
  let start = 0;
  const add = (type: string, length: number, params: string) => {
    specs.push({ start, length, type, params });
    start += length;
  };
  for (const row of rows) {
    const { type, params, places, cutSectors = 0, cut } = row;
    if (row.paths) switches.push({ start, row });
    const pieces = cut ? places.length / cutSectors : 1;
    const at = cutSectors * prng.integer(1, pieces);
    if (!cut || at === places.length || prng.chance(0.5)) {
      add(type, places.length, params);
      continue;
    }
    add(type, at, params);
    add(type, places.length - at, cut(at));
  }
  return { rows: specs, places: rows.flatMap((row) => row.places), switches };
}

/** A message that moves some regions of a switch; changes `places`, those of its whole table, accordingly. */
export function randomMappings(
  { start, row }: ModelTable['switches'][number],
  places: Place[],
  prng: Prng,
): string[] {
  const { paths = [], regionSectors = 1 } = row;
  const regionCount = Math.ceil(row.places.length / regionSectors);
  const mappings: string[] = [];
  for (let count = prng.integer(1, 5); count > 0; count -= 1) {
    const region = prng.integer(0, regionCount - 1);
    const path = prng.integer(0, paths.length - 1);
    mappings.push(`${region.toString(16)}:${path.toString(16)}`);
    const end = Math.min((region + 1) * regionSectors, row.places.length);
    for (let sector = region * regionSectors; sector < end; sector += 1) {
      places[start + sector] = paths[path]![sector]!;
    }
  }
  return mappings;
}
