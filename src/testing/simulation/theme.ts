/** What a history is about: what needs many steps of some kinds is rare in one that has all of them. */

import type { Prng } from '../../base/prng.ts';

type Range = readonly [min: number, max: number];

export interface Theme {
  readonly name: 'everything' | 'snapshots';
  readonly diskCount: Range;
  readonly diskSectors: Range;
  readonly scratchCount: Range;
  /** Some have room for anything, some are soon full. */
  readonly scratchSectors: readonly number[];
  readonly stepCounts: readonly number[];
}

const EVERYTHING: Theme = {
  name: 'everything',
  diskCount: [1, 3],
  diskSectors: [24, 160],
  scratchCount: [0, 3],
  scratchSectors: [40, 200, 200],
  stepCounts: [10, 20, 40, 80],
};

/** One or two origins; their volumes have most of the requests, and most of those meet in a few chunks. */
const SNAPSHOTS: Theme = {
  name: 'snapshots',
  diskCount: [1, 2],
  diskSectors: [24, 200],
  scratchCount: [2, 4],
  scratchSectors: [16, 40, 100, 400, 400],
  stepCounts: [20, 40, 80, 120],
};

export function drawTheme(prng: Prng, options: { hasSnapshots: boolean }): Theme {
  const theme = prng.pick([EVERYTHING, SNAPSHOTS]);
  return options.hasSnapshots ? theme : EVERYTHING;
}
