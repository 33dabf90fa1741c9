/** Side by side with a loop device: the same file, once as a mapped device's file through FUSE, once through the kernel's loop. */

import { type ChildProcess, spawn } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECTOR_BYTES } from '../src/base/units.ts';
import { DEVMAPPER } from './servers.ts';
import { median } from './statistics.ts';
import { progress, requirePrograms, run } from './tools.ts';

export interface FuseBenchOptions {
  rounds: number;
  seconds: number;
  diskBytes: number;
  folder: string;
  json: boolean;
}

interface FuseRow {
  title: string;
  /** fio's words. */
  words: readonly string[];
  unit: 'IOPS' | 'MiB/s';
  /** What our file must reach of the loop device's rate; null: no bar. */
  bar: number | null;
}

const ASYNC = '--ioengine=libaio';
const ROWS: readonly FuseRow[] = [
  {
    title: '4 KiB read, depth 16',
    words: ['--rw=randread', '--bs=4k', ASYNC, '--iodepth=16'],
    unit: 'IOPS',
    bar: 0.6,
  },
  {
    title: '4 KiB write, depth 16',
    words: ['--rw=randwrite', '--bs=4k', ASYNC, '--iodepth=16'],
    unit: 'IOPS',
    bar: null,
  },
  {
    title: '4 KiB read, depth 1',
    words: ['--rw=randread', '--bs=4k', '--ioengine=psync'],
    unit: 'IOPS',
    bar: null,
  },
  {
    title: '1 MiB read, depth 8',
    words: ['--rw=read', '--bs=1M', ASYNC, '--iodepth=8'],
    unit: 'MiB/s',
    bar: 0.7,
  },
  {
    title: '1 MiB write, depth 8',
    words: ['--rw=write', '--bs=1M', ASYNC, '--iodepth=8'],
    unit: 'MiB/s',
    bar: 0.7,
  },
];

interface FioReport {
  jobs: { read: FioRate; write: FioRate }[];
}

interface FioRate {
  iops: number;
  bw_bytes: number;
}

/** Whether every bar was kept. */
export async function runFuse(options: FuseBenchOptions): Promise<boolean> {
  requirePrograms(['fio', 'losetup']);
  const image = join(options.folder, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, options.diskBytes);
  await run('dd', [
    'if=/dev/zero',
    `of=${image}`,
    'bs=1M',
    `count=${options.diskBytes >> 20}`,
    'conv=notrunc',
  ]);
  const state = join(options.folder, 'state');
  const daemon = await startDaemon(state, image, options);
  const loop = (await run('losetup', ['-f', '--show', image])).stdout.trim();
  try {
    const files = { fuse: join(state, 'mapper', 'disk'), loop };
    const results: { row: FuseRow; fuse: number; loop: number; ratio: number }[] = [];
    for (const row of ROWS) results.push({ row, ...(await measure(row, files, options)) });
    print(results, options.json);
    return results.every(({ row, ratio }) => row.bar === null || ratio >= row.bar);
  } finally {
    await run('losetup', ['-d', loop]);
    daemon.kill('SIGTERM');
    await new Promise((resolve) => daemon.once('exit', resolve));
  }
}

/** A daemon that has the image as device `disk`. */
async function startDaemon(
  state: string,
  image: string,
  { folder, diskBytes }: FuseBenchOptions,
): Promise<ChildProcess> {
  const tab = join(folder, 'tab');
  writeFileSync(tab, `disk,,,rw,0 ${diskBytes / SECTOR_BYTES} linear ${image} 0\n`);
  const daemon = spawn(DEVMAPPER, ['daemon', '--fuse', '--tab', tab, '--log-level', 'warn'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, DEVMAPPER_DIR: state },
  });
  await new Promise((resolve, reject) => {
    daemon.stdout.once('data', resolve);
    daemon.once('exit', () => reject(new Error('Cannot run the benchmark: the daemon ended')));
  });
  return daemon;
}

/** Turn and turn about, so that whatever else the machine does disturbs both. */
async function measure(
  row: FuseRow,
  files: { fuse: string; loop: string },
  options: FuseBenchOptions,
): Promise<{ fuse: number; loop: number; ratio: number }> {
  const rates: { fuse: number[]; loop: number[] } = { fuse: [], loop: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    progress(`${row.title}: round ${round + 1} of ${options.rounds}`);
    for (const name of ['fuse', 'loop'] as const) {
      rates[name].push(await measureOnce(row, files[name], options));
    }
  }
  const ratio = median(rates.fuse.map((rate, index) => rate / rates.loop[index]!));
  return { fuse: median(rates.fuse), loop: median(rates.loop), ratio };
}

async function measureOnce(
  row: FuseRow,
  path: string,
  { seconds, diskBytes }: FuseBenchOptions,
): Promise<number> {
  const { stdout } = await run('fio', [
    ...['--name=bench', `--filename=${path}`, '--direct=1', `--size=${diskBytes}`],
    ...['--time_based', `--runtime=${seconds}`, '--norandommap', '--output-format=json'],
    ...row.words,
  ]);
  const [job] = (JSON.parse(stdout.slice(stdout.indexOf('{'))) as FioReport).jobs;
  const { read, write } = job!;
  return row.unit === 'IOPS' ? read.iops + write.iops : (read.bw_bytes + write.bw_bytes) / 2 ** 20;
}

function print(
  results: readonly { row: FuseRow; fuse: number; loop: number; ratio: number }[],
  json: boolean,
): void {
  if (json) {
    const rows = results.map(({ row, ...rates }) => ({
      title: row.title,
      unit: row.unit,
      ...rates,
    }));
    process.stdout.write(`${JSON.stringify({ rows }, null, 2)}\n`);
    return;
  }
  process.stdout.write(`${''.padEnd(24)}${'fuse'.padStart(10)}${'loop'.padStart(10)}   ratio\n`);
  for (const { row, fuse, loop, ratio } of results) {
    const bar =
      row.bar === null ? '' : `  (bar ${row.bar}: ${ratio >= row.bar ? 'kept' : 'MISSED'})`;
    const rates = [fuse, loop].map((rate) => Math.round(rate).toString().padStart(10)).join('');
    process.stdout.write(
      `${row.title.padEnd(24)}${rates}   ${ratio.toFixed(2)} ${row.unit}${bar}\n`,
    );
  }
}
