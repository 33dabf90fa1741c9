/**
 * Snapshots beside a linear row of the same server: reads of an empty one, first writes (each copies, or needs an exception at least), and the load of a
 * large exception store.
 */

import { atLeast, type Bar } from './bars.ts';
import { formatBars, formatTable } from './report.ts';
import { type LoadResult, measureLoad } from './snapshot-load.ts';
import { CASES, type Case, measureRound, ORIGIN_SNAPSHOT_COUNT } from './snapshot-round.ts';
import { median, spread } from './statistics.ts';
import { ensureBuild, progress, requirePrograms } from './tools.ts';

export interface SnapshotBenchOptions {
  rounds: number;
  seconds: number;
  diskBytes: number;
  folder: string;
  quick: boolean;
  json: boolean;
}

const LOAD_EXCEPTIONS = 10_000_000;
const QUICK_EXCEPTIONS = 100_000;
const LOAD_SECONDS_MAX = 10;
const EXCEPTION_BYTES_MAX = 64;
/** How many times as long as the kernel's I/Os would take. */
const MANY_COPIES_MAX = 2;

export interface Result {
  case: Case;
  /** By round; kIOPS. */
  base: number[];
  variant: number[];
  /** Of the server, for each request. */
  baseMicroseconds: number[];
  variantMicroseconds: number[];
  ratio: number;
}

/** Whether every bar was kept. */
export async function runSnapshot(options: SnapshotBenchOptions): Promise<boolean> {
  requirePrograms(['fio']);
  ensureBuild();
  const results: Result[] = CASES.map((each) => ({
    case: each,
    base: [],
    variant: [],
    baseMicroseconds: [],
    variantMicroseconds: [],
    ratio: 0,
  }));
  for (let round = 0; round < options.rounds; round += 1) {
    progress(`round ${round + 1} of ${options.rounds}`);
    await measureRound(round, results, options);
  }
  for (const result of results) result.ratio = median(result.variant) / median(result.base);
  const exceptionCount = options.quick ? QUICK_EXCEPTIONS : LOAD_EXCEPTIONS;
  const load = await measureLoad({ ...options, exceptionCount });
  const bars = options.quick ? [] : [...results.flatMap(judge), ...judgeLoad(load)];
  if (options.json) {
    const rows = results.map(({ case: { id }, ...rest }) => ({ id, ...rest }));
    process.stdout.write(`${JSON.stringify({ rows, load, bars }, null, 2)}\n`);
  } else {
    const parts = [
      formatResults(results),
      formatLoad(load),
      ...(bars.length > 0 ? [formatBars(bars)] : []),
    ];
    process.stdout.write(`${parts.join('\n\n')}\n`);
  }
  return bars.every(({ passed }) => passed);
}

function judge({ case: { id, title, bar }, base, variant, ratio }: Result): Bar[] {
  if (bar !== null) return [atLeast(title, ratio, bar)];
  return id === 'origin-many' ? [judgeMany(title, base, variant)] : [];
}

/** For each snapshot the kernel reads the chunk once and writes it once, and then it writes the origin; its metadata are not counted. */
function judgeMany(title: string, base: readonly number[], variant: readonly number[]): Bar {
  const kernelCount = 2 * ORIGIN_SNAPSHOT_COUNT + 1;
  const times = median(base) / median(variant) / kernelCount;
  return {
    title: `${title}: time, in the kernel's ${kernelCount} I/Os`,
    limit: `<= ${MANY_COPIES_MAX}`,
    got: times.toFixed(2),
    passed: times <= MANY_COPIES_MAX,
  };
}

function judgeLoad({ exceptionCount, seconds, bytesPerException }: LoadResult): Bar[] {
  const millions = `${exceptionCount / 1e6} million exceptions`;
  return [
    {
      title: `a table with ${millions} loads`,
      limit: `< ${LOAD_SECONDS_MAX} s`,
      got: `${seconds.toFixed(1)} s`,
      passed: seconds < LOAD_SECONDS_MAX,
    },
    {
      title: `memory of ${millions}, for each`,
      limit: `<= ${EXCEPTION_BYTES_MAX} bytes`,
      got: `${bytesPerException.toFixed(0)} bytes`,
      passed: bytesPerException <= EXCEPTION_BYTES_MAX,
    },
  ];
}

function formatResults(results: readonly Result[]): string {
  const percent = (rates: readonly number[]) =>
    rates.length > 1 ? ` ±${(spread(rates) * 50).toFixed(0)}%` : '';
  const rate = (rates: readonly number[]) => `${median(rates).toFixed(1)}${percent(rates)}`;
  return formatTable(
    ['kIOPS', 'linear', 'snapshot', 'ratio', 'server CPU µs each'],
    results.map((result) => [
      result.case.title,
      rate(result.base),
      rate(result.variant),
      result.ratio.toFixed(2),
      `${median(result.baseMicroseconds).toFixed(0)} / ${median(result.variantMicroseconds).toFixed(0)}`,
    ]),
  );
}

function formatLoad({ exceptionCount, seconds, cpuSeconds, bytesPerException }: LoadResult) {
  return [
    `${exceptionCount} exceptions, in random order: loaded in ${seconds.toFixed(1)} s`,
    `(${cpuSeconds.toFixed(1)} s of processor time), ${bytesPerException.toFixed(0)} bytes each`,
  ].join(' ');
}
