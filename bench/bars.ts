/** What the project promises about its speed, and whether a run kept it. */

import type { Comparisons } from './comparisons.ts';
import { ROWS } from './jobs.ts';
import { OURS } from './servers.ts';
import { meanRatio, type RowResult, type SideBySide } from './side-by-side.ts';

const MEAN_RATIO_MIN = 1.4;
const ROW_RATIO_MIN = 0.95;
const PEAK_MIB_MAX = 200;
const MIB = 2 ** 20;

export interface Bar {
  title: string;
  limit: string;
  got: string;
  passed: boolean;
}

export function judgeRows(results: readonly RowResult[]): Bar[] {
  const bars: Bar[] = [];
  const mean = meanRatio(results);
  const isWhole =
    results.filter(({ row }) => row.counts).length === ROWS.filter(({ counts }) => counts).length;
  if (mean !== null && isWhole) {
    bars.push(atLeast('geometric mean of the ratios to the best peer', mean, MEAN_RATIO_MIN));
  }
  for (const { row, ratio } of results) {
    if (ratio !== null && row.counts) bars.push(atLeast(row.title, ratio, ROW_RATIO_MIN));
  }
  return bars;
}

export function judgeComparisons({ results }: Comparisons): Bar[] {
  return results.flatMap(({ comparison, ratio }) =>
    comparison.bar === null ? [] : [atLeast(comparison.title, ratio, comparison.bar)],
  );
}

/** The largest our server got, over everything that was measured. */
export function judgeMemory(sideBySide: SideBySide | null, comparisons: Comparisons | null): Bar[] {
  const peaks = [sideBySide?.peakBytes.get(OURS), comparisons?.peakBytes];
  const measured = peaks.filter((peak) => peak !== undefined);
  if (measured.length === 0) return [];
  const peakMib = Math.max(...measured) / MIB;
  return [
    {
      title: 'peak memory of the server',
      limit: `< ${PEAK_MIB_MAX} MiB`,
      got: `${peakMib.toFixed(0)} MiB`,
      passed: peakMib < PEAK_MIB_MAX,
    },
  ];
}

export function atLeast(title: string, value: number, min: number): Bar {
  return { title, limit: `>= ${min}`, got: value.toFixed(2), passed: value >= min };
}
