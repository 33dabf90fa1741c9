/** Our server against itself: what a different table costs. One process serves all the tables. */

import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECTOR_BYTES } from '../src/base/units.ts';
import { createImages, type Images } from './images.ts';
import { ROWS, type Row, runJob } from './jobs.ts';
import { RunningServer, serveCommand, socketPath } from './servers.ts';
import { median } from './statistics.ts';
import { progress } from './tools.ts';

export interface Comparison {
  id: string;
  title: string;
  /** Id of the row that is run against both. */
  row: string;
  base: string;
  variant: string;
  /** Smallest ratio of variant to base that passes; null: shown only. */
  bar: number | null;
}

const ROW_COUNT = 10_000;
const STACK_DEPTH = 8;
/** Of log-writes, which is only read. */
const LOG_BYTES = 2 ** 20;

export const COMPARISONS: readonly Comparison[] = [
  {
    id: 'striped',
    title: 'striped (2 x 64 KiB) against linear',
    row: 'read-1m',
    base: 'linear',
    variant: 'striped',
    bar: 0.9,
  },
  {
    id: 'rows',
    title: `${ROW_COUNT} rows against 1`,
    row: 'read-4k',
    base: 'linear',
    variant: 'rows',
    bar: 0.95,
  },
  {
    id: 'stack',
    title: `stack of ${STACK_DEPTH} linear devices against 1`,
    row: 'read-4k',
    base: 'stack-1',
    variant: `stack-${STACK_DEPTH}`,
    bar: 0.75,
  },
  ...['flakey', 'delay', 'dust', 'chaos', 'log-writes'].map((name) => ({
    id: name,
    title: `${name} that does nothing against linear`,
    row: 'read-4k',
    base: 'stack-1',
    variant: name,
    bar: 0.9,
  })),
  {
    id: 'memory-4k',
    title: 'mem: disks against files on tmpfs',
    row: 'read-4k',
    base: 'linear',
    variant: 'memory',
    bar: null,
  },
  {
    id: 'memory-1m',
    title: 'mem: disks against files on tmpfs',
    row: 'read-1m',
    base: 'linear',
    variant: 'memory',
    bar: null,
  },
];

interface Device {
  name: string;
  lines: string[];
}

/** Devices that stand on others come after them. */
function devicesOf({ first, second, diskBytes }: Images, log: string): Device[] {
  const half = diskBytes / SECTOR_BYTES;
  const stack = Array.from({ length: STACK_DEPTH }, (_, index) => ({
    name: `stack-${index + 1}`,
    lines: [`0 ${half} linear ${index === 0 ? first : `mapper/stack-${index}`} 0`],
  }));
  return [
    {
      name: 'linear',
      lines: [`0 ${half} linear ${first} 0`, `${half} ${half} linear ${second} 0`],
    },
    { name: 'striped', lines: [`0 ${2 * half} striped 2 128 ${first} 0 ${second} 0`] },
    { name: 'rows', lines: manyRows(first, second, half) },
    { name: 'flakey', lines: [`0 ${half} flakey ${first} 0 3600 1`] },
    { name: 'delay', lines: [`0 ${half} delay ${first} 0 0`] },
    { name: 'dust', lines: [`0 ${half} dust ${first} 0 512`] },
    { name: 'chaos', lines: [`0 ${half} chaos ${first} 0`] },
    { name: 'log-writes', lines: [`0 ${half} log-writes ${first} ${log}`] },
    ...stack,
  ];
}

/** Rows that alternate between the disks, so that no two of them could be merged into one. */
function manyRows(first: string, second: string, half: number): string[] {
  // Whole pages, so that a 4 KiB request lies in one row.
  const length = Math.floor((2 * half) / ROW_COUNT / 8) * 8;
  if (length === 0)
    throw new Error(`Cannot cut the disks into ${ROW_COUNT} rows: --size is too small`);
  return Array.from({ length: ROW_COUNT }, (_, index) => {
    const disk = index % 2 === 0 ? first : second;
    return `${index * length} ${length} linear ${disk} ${(index >> 1) * length}`;
  });
}

/** Apart, so that the memory bar judges what servers of image files need. */
function memoryDevice({ diskBytes }: Images): Device {
  const half = diskBytes / SECTOR_BYTES;
  const disk = `mem:${diskBytes / 2 ** 20}M`;
  return {
    name: 'memory',
    lines: [`0 ${half} linear ${disk} 0`, `${half} ${half} linear ${disk} 0`],
  };
}

export interface ComparisonResult {
  comparison: Comparison;
  unit: string;
  baseRates: number[];
  variantRates: number[];
  ratio: number;
}

export interface Comparisons {
  results: ComparisonResult[];
  peakBytes: number;
}

export interface ComparisonOptions {
  folder: string;
  diskBytes: number;
  rounds: number;
  seconds: number;
  comparisons: readonly Comparison[];
}

export async function measureComparisons(options: ComparisonOptions): Promise<Comparisons> {
  const images = createImages(options.folder, options.diskBytes);
  const start = (name: string, devices: Device[]) => {
    const socket = socketPath(options.folder, name);
    return RunningServer.start(name, serveCommand(socket, devices), socket);
  };
  const log = join(options.folder, 'log.img');
  writeFileSync(log, '');
  truncateSync(log, LOG_BYTES);
  const files = await start('tables', devicesOf(images, log));
  const memory = await start('memory', [memoryDevice(images)]);
  try {
    const results: ComparisonResult[] = [];
    for (const comparison of options.comparisons) {
      const uriOf = (name: string) => (name === 'memory' ? memory : files).uri(name);
      results.push(await measureOne(comparison, uriOf, images, options));
    }
    return { results, peakBytes: files.usage().peakBytes };
  } finally {
    await memory.stop();
    await files.stop();
  }
}

async function measureOne(
  comparison: Comparison,
  uriOf: (name: string) => string,
  images: Images,
  { rounds, seconds, folder }: ComparisonOptions,
): Promise<ComparisonResult> {
  const row = ROWS.find(({ id }) => id === comparison.row) as Row;
  const rates = { base: [] as number[], variant: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? (['base', 'variant'] as const) : (['variant', 'base'] as const);
    for (const side of order) {
      const { rate } = await runJob(row, {
        uri: uriOf(comparison[side]),
        seconds,
        folder,
        reference: images.reference,
        volumeBytes: 2 * images.diskBytes,
      });
      rates[side].push(rate);
      progress(
        `round ${round + 1}/${rounds}  ${comparison.id}  ${comparison[side]}: ${rate.toFixed(1)} ${row.unit}`,
      );
    }
  }
  return {
    comparison,
    unit: row.unit,
    baseRates: rates.base,
    variantRates: rates.variant,
    ratio: median(rates.variant) / median(rates.base),
  };
}
