/** How far a kernel would read ahead on a mapped device. Nothing here does so; programs ask for it, and set it. */

import { bytesToSectors } from '../base/units.ts';
import type { MappedDevice } from './mapped-device.ts';

const LEAST_SECTORS = 256;
/** A page of memory. */
export const PAGE_SECTORS = 8;

/** At least 128 KiB and twice the optimal I/O size, unless somebody asked for something else. null: there is no disk. */
export function readAheadSectors({ hasDisk, live, limits }: MappedDevice): number | null {
  if (!hasDisk) return null;
  const usual = Math.max(LEAST_SECTORS, bytesToSectors(2 * limits.ioOptBytes));
  return live?.readAheadSectors ?? usual;
}

/** A kernel counts it in pages. */
export function wholePages(sectors: number): number {
  return sectors - (sectors % PAGE_SECTORS);
}
