/**
 * Whether a slow disk slows its neighbours down: one process serves `slow`, over a disk that takes 200 ms for everything,
 * and `fast`, over a file in memory. While `slow` is kept busy at depth 32, requests to `fast` must take as long as before.
 */

import { spawn } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, systemClock } from '../src/base/clock.ts';
import { SECTOR_BYTES } from '../src/base/units.ts';
import { createImages } from './images.ts';
import { type FioJob, type FioPart, fioReport } from './jobs.ts';
import { formatTable } from './report.ts';
import { RunningServer, serveCommand, socketPath } from './servers.ts';
import { median, pacedPercentile } from './statistics.ts';
import { progress, requirePrograms, run } from './tools.ts';

/**
 * - `fuse`: a file whose read and write system calls block, as on a network file system
 * - `nbd`: a remote server that answers late
 */
export type SlowDisk = 'fuse' | 'nbd';

export interface IsolationOptions {
  folder: string;
  slowDisk: SlowDisk;
  /** What is done to `fast`. */
  operation: 'randread' | 'randwrite';
  /** At least; up to three times as many while the rise is above the bar, for machines that others use. */
  rounds: number;
  seconds: number;
  /** No more rounds than it takes to know: a loaded latency under the bar cannot have risen above it, however noisy the quiet one was. */
  untilClear?: boolean;
}

export interface IsolationResult {
  /** p99 latency of `fast` in each round: with `slow` idle, and under load. */
  quietMs: number[];
  loadedMs: number[];
  /** Best round loaded minus best round quiet: what else runs on the machine only ever adds, a held-up thread adds in every round. */
  riseMs: number;
  /** That the load was really there: requests that `slow` answered, and how long they took. */
  slowRequests: number;
  slowMedianMs: number;
}

export const DELAY_MS = 200;
export const RISE_MS_MAX = 2;
/** Far larger than what a run reads: random requests never meet a page that is cached already. */
const SLOW_DISK_SIZE = '4G';
const SLOW_DISK_SECTORS = (4 * 2 ** 30) / SECTOR_BYTES;
const FAST_DISK_BYTES = 32 * 2 ** 20;
/** Requests to `fast` come at a steady pace that leaves both processors idle half of the time, or fio's own turn would be measured. */
const FAST_PER_SECOND = 2000;
/** A server that lets `fast` wait for `slow` ends sooner than that. */
const LOAD_LIMIT_SECONDS = 120;
const MOUNT_LIMIT_MS = 10_000;
const POLL_MS = 20;

interface Disk {
  operand: string;
  close(): Promise<void>;
}

const delayArguments = [
  ...['-t', '32', '--filter=delay', 'memory', SLOW_DISK_SIZE],
  ...[`rdelay=${DELAY_MS}ms`, `wdelay=${DELAY_MS}ms`],
];

export const ISOLATION_PROGRAMS = ['fio', 'nbdkit', 'nbdfuse', 'fusermount3'];

async function openSlowDisk(kind: SlowDisk, folder: string): Promise<Disk> {
  if (kind === 'fuse') return mountSlowFile(join(folder, 'mount'));
  const socket = socketPath(folder, 'delay');
  const server = await RunningServer.start(
    'nbdkit delay',
    ['nbdkit', '-f', '-U', socket, ...delayArguments],
    socket,
  );
  return { operand: server.uri(''), close: () => server.stop() };
}

async function mountSlowFile(folder: string): Promise<Disk> {
  mkdirSync(folder);
  const file = join(folder, 'disk');
  const command = ['--command', 'nbdkit', '-s', ...delayArguments];
  const child = spawn('nbdfuse', [file, ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const limitMs = systemClock.nowMs() + MOUNT_LIMIT_MS;
  while (statSync(file, { throwIfNoEntry: false }) === undefined) {
    if (child.exitCode !== null || systemClock.nowMs() > limitMs) {
      child.kill();
      throw new Error(`Cannot mount a slow disk on ${folder} with nbdfuse`);
    }
    await sleep(systemClock, POLL_MS);
  }
  return {
    operand: file,
    async close() {
      await run('fusermount3', ['-u', folder]);
      await ended;
    },
  };
}

export async function measureIsolation(options: IsolationOptions): Promise<IsolationResult> {
  const { folder } = options;
  const images = createImages(folder, FAST_DISK_BYTES);
  const slowDisk = await openSlowDisk(options.slowDisk, folder);
  try {
    const socket = socketPath(folder, 'isolation');
    const command = serveCommand(socket, [
      { name: 'slow', lines: [`0 ${SLOW_DISK_SECTORS} linear ${slowDisk.operand} 0`] },
      {
        name: 'fast',
        lines: [`0 ${FAST_DISK_BYTES / SECTOR_BYTES} linear ${images.first} 0`],
      },
    ]);
    const server = await RunningServer.start('devmapper', command, socket);
    try {
      return await measureRounds(server, options);
    } finally {
      await server.stop();
    }
  } finally {
    await slowDisk.close();
  }
}

async function measureRounds(
  server: RunningServer,
  options: IsolationOptions,
): Promise<IsolationResult> {
  const quietMs: number[] = [];
  const loadedMs: number[] = [];
  const slowLatencies: number[] = [];
  let slowRequests = 0;
  await fastP99Ms(server, { ...options, seconds: 0.5 });
  const riseMs = () => Math.min(...loadedMs) - Math.min(...quietMs);
  const isClear = () => options.untilClear === true && Math.min(...loadedMs) <= RISE_MS_MAX;
  const isOpen = (round: number) =>
    (round < options.rounds && !isClear()) ||
    (round < 3 * options.rounds && riseMs() > RISE_MS_MAX);
  for (let round = 0; isOpen(round); round += 1) {
    quietMs.push(await fastP99Ms(server, options));
    const { p99Ms, requests, medianMs } = await measureLoaded(server, options);
    loadedMs.push(p99Ms);
    slowRequests += requests;
    slowLatencies.push(medianMs);
    progress(
      `${options.slowDisk} ${options.operation} round ${round + 1}: ` +
        `p99 ${quietMs.at(-1)!.toFixed(2)} ms quiet, ${loadedMs.at(-1)!.toFixed(2)} ms loaded`,
    );
  }
  return {
    quietMs,
    loadedMs,
    riseMs: riseMs(),
    slowRequests,
    slowMedianMs: median(slowLatencies),
  };
}

async function fastP99Ms(server: RunningServer, options: IsolationOptions): Promise<number> {
  const job: FioJob = { kind: 'fio', rw: options.operation, block: '4k', depth: 1 };
  const context = { uri: server.uri('fast'), seconds: options.seconds, folder: options.folder };
  const report = await fioReport(job, context, { extra: [`--rate_iops=${FAST_PER_SECOND}`] });
  const { clat_ns: latency } = options.operation === 'randread' ? report.read : report.write;
  const counts = Object.entries(latency.bins ?? {}).map(([ns, count]): [number, number] => [
    Number(ns),
    count,
  ]);
  const interval = 1e9 / FAST_PER_SECOND;
  return pacedPercentile(new Map(counts), { interval, percentile: 0.99 }) / 1e6;
}

/** `slow` is read and written from before the measurement of `fast` until it is over, however long that takes. */
async function measureLoaded(server: RunningServer, options: IsolationOptions) {
  const context = { uri: server.uri('slow'), seconds: LOAD_LIMIT_SECONDS, folder: options.folder };
  const measurement = sleep(systemClock, 3 * DELAY_MS).then(() => fastP99Ms(server, options));
  const until = measurement.catch(() => undefined);
  const loads = await Promise.all(
    (['randread', 'randwrite'] as const).map(async (rw) => {
      const job: FioJob = { kind: 'fio', rw, block: '4k', depth: 32 };
      const report = await fioReport(job, context, { until });
      const part = rw === 'randread' ? report.read : report.write;
      return { requests: part.io_bytes / 4096, medianMs: medianLatencyMs(part) };
    }),
  );
  return {
    p99Ms: await measurement,
    requests: loads.reduce((sum, { requests }) => sum + requests, 0),
    medianMs: Math.min(...loads.map(({ medianMs }) => medianMs)),
  };
}

/** Infinity when nothing was answered before the end. */
function medianLatencyMs({ clat_ns: { percentile } }: FioPart): number {
  const medianNs = percentile?.['50.000000'];
  return medianNs === undefined ? Number.POSITIVE_INFINITY : medianNs / 1e6;
}

/** All variants; whether each kept the bar. */
export async function runIsolation(options: {
  folder: string;
  rounds: number;
  seconds: number;
  json: boolean;
}): Promise<boolean> {
  requirePrograms(ISOLATION_PROGRAMS);
  const results: (IsolationResult & Pick<IsolationOptions, 'slowDisk' | 'operation'>)[] = [];
  for (const slowDisk of ['fuse', 'nbd'] as const) {
    for (const operation of ['randread', 'randwrite'] as const) {
      const folder = join(options.folder, `${slowDisk}-${operation}`);
      mkdirSync(folder);
      const result = await measureIsolation({ ...options, folder, slowDisk, operation });
      results.push({ slowDisk, operation, ...result });
    }
  }
  if (options.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  else process.stdout.write(`${formatResults(results)}\n`);
  return results.every(({ riseMs }) => riseMs <= RISE_MS_MAX);
}

function formatResults(
  results: readonly (IsolationResult & Pick<IsolationOptions, 'slowDisk' | 'operation'>)[],
): string {
  return formatTable(
    ['slow disk, fast operation', 'p99 quiet ms', 'p99 loaded ms', 'rise ms', 'limit', 'verdict'],
    results.map(({ slowDisk, operation, quietMs, loadedMs, riseMs }) => [
      `${slowDisk}, 4 KiB ${operation}`,
      Math.min(...quietMs).toFixed(2),
      Math.min(...loadedMs).toFixed(2),
      riseMs.toFixed(2),
      `<= ${RISE_MS_MAX}`,
      riseMs <= RISE_MS_MAX ? 'pass' : 'MISS',
    ]),
  );
}
