/** Results as text tables. */

import type { Bar } from './bars.ts';
import type { Comparisons } from './comparisons.ts';
import { type Measurement, meanRatio, type RowResult, type ServerCost } from './side-by-side.ts';
import { median, spread } from './statistics.ts';

/** Columns as wide as their widest cell; the first is text, the rest are numbers. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd();
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join(
    '\n',
  );
}

export function formatRows(results: readonly RowResult[]): string {
  const servers = [...new Set(results.flatMap(({ rates }) => [...rates.keys()]))];
  const rows = results.map(({ row, rates, ratio }) => [
    row.counts ? row.title : `${row.title} (not in the mean)`,
    row.unit,
    ...servers.map((server) => formatRates(rates.get(server))),
    ratio?.toFixed(2) ?? '-',
  ]);
  const mean = meanRatio(results)?.toFixed(2);
  if (mean !== undefined) rows.push(['geometric mean', '', ...servers.map(() => ''), mean]);
  return formatTable(['row', 'unit', ...servers, 'ours / best peer'], rows);
}

/** `1234 ±3%`: the median, and how far the rounds lie apart. */
function formatRates(rates: readonly number[] | undefined): string {
  if (rates === undefined) return '-';
  const middle = median(rates);
  const number = middle.toFixed(middle < 1000 ? 1 : 0);
  return rates.length > 1 ? `${number} ±${(spread(rates) * 50).toFixed(0)}%` : number;
}

export function formatCosts(costs: readonly ServerCost[]): string {
  return formatTable(
    ['server', 'CPU s per round', 'CPU s per GiB', 'peak MiB'],
    costs.map(({ server, cpuSeconds, cpuSecondsPerGib, peakBytes }) => [
      server,
      cpuSeconds.toFixed(1),
      cpuSecondsPerGib.toFixed(2),
      (peakBytes / 2 ** 20).toFixed(0),
    ]),
  );
}

export function formatComparisons({ results, peakBytes }: Comparisons): string {
  const table = formatTable(
    ['comparison', 'unit', 'base', 'variant', 'ratio'],
    results.map(({ comparison, unit, baseRates, variantRates, ratio }) => [
      comparison.title,
      unit,
      formatRates(baseRates),
      formatRates(variantRates),
      ratio.toFixed(2),
    ]),
  );
  return `${table}\npeak memory of this server: ${(peakBytes / 2 ** 20).toFixed(0)} MiB`;
}

export function formatBars(bars: readonly Bar[]): string {
  return formatTable(
    ['bar', 'limit', 'got', 'verdict'],
    bars.map(({ title, limit, got, passed }) => [title, limit, got, passed ? 'pass' : 'MISS']),
  );
}

/** How far to trust the numbers. */
export function formatDisturbance(measurements: readonly Measurement[]): string {
  const shares = measurements.map(({ disturbance }) => disturbance);
  const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
  return `other processes used ${percent(median(shares))} of the processors in the median measurement, ${percent(Math.max(...shares))} in the worst`;
}
