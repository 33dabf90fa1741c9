/** Writes of which only a part reached the disk: whole units of 512 or 4096 bytes, as the disk counts them, are there or not. */

import type { Prng } from '../base/prng.ts';
import type { LogEntry } from './crash-log.ts';
import type { SectorRange } from './places.ts';

/** 1 or 8; null: a write is there whole or not at all. */
export type TearSectors = number | null;

/** Where the write can be torn: counted in its own sectors, both ends left out. */
export function tearPlaces({ sector, sectorCount }: LogEntry, tearSectors: TearSectors): number[] {
  if (tearSectors === null) return [];
  const places: number[] = [];
  const first = tearSectors - (sector % tearSectors);
  for (let at = first; at < sectorCount; at += tearSectors) places.push(at);
  return places;
}

export function prefixOf(entry: LogEntry, place: number): SectorRange[] {
  return place > 0 ? [{ start: 0, end: Math.min(place, entry.sectorCount) }] : [];
}

/** A part of the write that is neither nothing nor all of it; null where it cannot be torn. */
export function randomTear(
  entry: LogEntry,
  tearSectors: TearSectors,
  prng: Prng,
): SectorRange[] | null {
  const places = tearPlaces(entry, tearSectors);
  if (places.length === 0) return null;
  const place = prng.pick(places);
  const shape = prng.integer(0, 2);
  if (shape === 0) return prefixOf(entry, place);
  if (shape === 1) return [{ start: place, end: entry.sectorCount }];
  return randomUnits([0, ...places, entry.sectorCount], prng);
}

/** Any of the units between the edges, but not all and not none. */
function randomUnits(edges: readonly number[], prng: Prng): SectorRange[] {
  const unitCount = edges.length - 1;
  const isKept = Array.from({ length: unitCount }, () => prng.chance(0.5));
  const chosen = prng.integer(0, unitCount - 1);
  isKept[chosen] = true;
  isKept[(chosen + 1) % unitCount] = false;
  const ranges: SectorRange[] = [];
  isKept.forEach((kept, index) => {
    if (!kept) return;
    const start = edges[index]!;
    const end = edges[index + 1]!;
    const last = ranges.at(-1);
    if (last?.end === start) last.end = end;
    else ranges.push({ start, end });
  });
  return ranges;
}
