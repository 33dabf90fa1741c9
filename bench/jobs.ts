/** What is measured: one fio job or one copy against one export, as a rate. */

import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import { progress, run } from './tools.ts';

/** More is better. */
export type Unit = 'MB/s' | 'kIOPS';

export interface FioJob {
  kind: 'fio';
  rw: 'read' | 'write' | 'randread' | 'randwrite';
  block: '4k' | '1m';
  depth: number;
}

export interface CopyJob {
  kind: 'copy';
  direction: 'read' | 'write';
}

export interface Row {
  id: string;
  title: string;
  unit: Unit;
  job: FioJob | CopyJob;
  /** Whether it enters the geometric mean. */
  counts: boolean;
}

const fio = (rw: FioJob['rw'], block: FioJob['block'], depth: number): FioJob => ({
  kind: 'fio',
  rw,
  block,
  depth,
});

export const ROWS: readonly Row[] = [
  {
    id: 'read-1m',
    title: '1 MiB sequential read, depth 8',
    unit: 'MB/s',
    job: fio('read', '1m', 8),
    counts: true,
  },
  {
    id: 'write-1m',
    title: '1 MiB sequential write, depth 8',
    unit: 'MB/s',
    job: fio('write', '1m', 8),
    counts: true,
  },
  {
    id: 'read-4k',
    title: '4 KiB random read, depth 32',
    unit: 'kIOPS',
    job: fio('randread', '4k', 32),
    counts: true,
  },
  {
    id: 'write-4k',
    title: '4 KiB random write, depth 32',
    unit: 'kIOPS',
    job: fio('randwrite', '4k', 32),
    counts: true,
  },
  {
    id: 'read-4k-1',
    title: '4 KiB random read, depth 1',
    unit: 'kIOPS',
    job: fio('randread', '4k', 1),
    counts: true,
  },
  {
    id: 'copy-read',
    title: 'nbdcopy volume to null:',
    unit: 'MB/s',
    job: { kind: 'copy', direction: 'read' },
    counts: true,
  },
  {
    id: 'copy-write',
    title: 'nbdcopy file to volume',
    unit: 'MB/s',
    job: { kind: 'copy', direction: 'write' },
    counts: false,
  },
];

export interface JobContext {
  uri: string;
  seconds: number;
  /** For fio's report. */
  folder: string;
  /** What `copy` writes, of the volume's size. */
  reference: string;
  volumeBytes: number;
}

export interface Sample {
  /** In the row's unit. */
  rate: number;
  bytes: number;
  elapsedSeconds: number;
}

export function runJob(row: Row, context: JobContext): Promise<Sample> {
  return row.job.kind === 'fio' ? runFio(row.job, row.unit, context) : runCopies(row.job, context);
}

async function runFio(job: FioJob, unit: Unit, context: JobContext): Promise<Sample> {
  const report = await fioReport(job, context);
  const part = job.rw.endsWith('read') ? report.read : report.write;
  const rate = unit === 'kIOPS' ? part.iops / 1e3 : part.bw_bytes / 1e6;
  return { rate, bytes: part.io_bytes, elapsedSeconds: part.runtime / 1e3 };
}

/** What we read of fio's JSON, for one direction of one job. */
export interface FioPart {
  io_bytes: number;
  bw_bytes: number;
  iops: number;
  /** ms */
  runtime: number;
  /** `bins`: how many requests took so many nanoseconds. */
  clat_ns: { percentile?: Record<string, number>; bins?: Record<string, number> };
}

export interface FioReport {
  read: FioPart;
  write: FioPart;
}

let reportCount = 0;

const EINTR = 4;

/** Runs one job against one export, for its time or `until` something. Extra arguments go to fio as they are. */
export async function fioReport(
  job: FioJob,
  context: Pick<JobContext, 'uri' | 'seconds' | 'folder'>,
  { extra = [], until }: { extra?: readonly string[]; until?: Promise<unknown> } = {},
): Promise<FioReport> {
  reportCount += 1;
  // Not on standard output: fio's nbd engine prints its own lines there.
  const output = join(context.folder, `fio-${process.pid}-${reportCount}.json`);
  const args = [
    '--name=job',
    '--ioengine=nbd',
    `--uri=${context.uri}`,
    `--rw=${job.rw}`,
    `--bs=${job.block}`,
    `--iodepth=${job.depth}`,
    '--norandommap=1',
    '--size=100%',
    '--time_based=1',
    `--runtime=${Math.round(context.seconds * 1000)}ms`,
    '--output-format=json+',
    `--output=${output}`,
    ...extra,
  ];
  const { stderr } = await run('fio', args, until);
  const text = readFileSync(output, 'utf8');
  rmSync(output);
  const parsed = JSON.parse(text.slice(text.indexOf('{'))) as {
    jobs: (FioReport & { error: number })[];
  };
  const result = parsed.jobs[0];
  if (result === undefined || (result.error !== 0 && !(until && result.error === EINTR)))
    throw new Error(`fio failed with error ${result?.error} on ${context.uri}\n${stderr}`);
  return result;
}

/**
 * The disks have no holes, so asking for them would only add a request or two; and the split plugin of nbdkit 1.32
 * crashes when asked about disks of 256 MiB.
 */
const NO_EXTENTS = '--no-extents';

/** Copies the whole volume again and again until the time is up. */
async function runCopies(job: CopyJob, context: JobContext): Promise<Sample> {
  const { uri, reference, volumeBytes, seconds } = context;
  const args = job.direction === 'read' ? [uri, 'null:'] : [reference, uri];
  const start = systemClock.nowMs();
  let elapsedSeconds = 0;
  let bytes = 0;
  while (elapsedSeconds < seconds) {
    await run('nbdcopy', [NO_EXTENTS, ...args]);
    bytes += volumeBytes;
    elapsedSeconds = (systemClock.nowMs() - start) / 1e3;
  }
  return { rate: bytes / elapsedSeconds / 1e6, bytes, elapsedSeconds };
}

/** Reads the export once and compares it with the reference: a server that is fast and wrong must not win. */
export async function verifyContent(name: string, context: JobContext): Promise<void> {
  progress(`${name}: comparing the content`);
  const copy = join(context.folder, 'verify.img');
  try {
    await run('nbdcopy', [NO_EXTENTS, context.uri, copy]);
    await run('cmp', [copy, context.reference]);
  } finally {
    rmSync(copy, { force: true });
  }
}
