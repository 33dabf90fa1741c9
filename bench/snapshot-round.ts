/**
 * One round: a server with fresh COW devices, so that every write of it is the first to its chunk, and on each device the jobs that are compared, linear and
 * snapshot by turns. Each device has a small twin that is written first, since a server that has just started still compiles what it runs.
 */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECTOR_BYTES } from '../src/base/units.ts';
import { type FioJob, fioReport } from './jobs.ts';
import { RunningServer, serveCommand, socketPath } from './servers.ts';
import type { Result, SnapshotBenchOptions } from './snapshot.ts';
import { progress } from './tools.ts';

export interface Case {
  id: string;
  title: string;
  job: FioJob;
  /** The device; see `devicesOf`. */
  device: string;
  /** Further words for fio, of either side. */
  extra: readonly string[];
  /** Of the volume, how much is written once; 0: read for `seconds`. */
  volumeShare: number;
  /** The smallest ratio to linear that passes; null: judged in another way, or shown only. */
  bar: number | null;
}

export const ORIGIN_SNAPSHOT_COUNT = 8;
const CHUNK_SECTORS = 8;
const READ_BAR = 0.9;
const WRITE_BAR = 0.35;
const DEPTH = 32;
/** Of the volume, what is written when all of it goes to so many places. */
const MANY_SHARE = 1 / 4;
const WARM_BYTES = 16 * 2 ** 20;
const WARM_SECONDS = 0.5;
/** Far more than any volume takes. */
const WRITE_LIMIT_SECONDS = 120;

const write: FioJob = { kind: 'fio', rw: 'write', block: '4k', depth: DEPTH };
const randomWrite: FioJob = { ...write, rw: 'randwrite' };
/** Every other 2 KiB: what a chunk of 4 KiB needs a copy for. */
const HALVES = ['--rw=write:2k', '--bs=2k'];
/** Each block once. */
const SHUFFLED = ['--norandommap=0'];

export const CASES: readonly Case[] = [
  {
    id: 'read-empty',
    title: '4 KiB random reads of a snapshot without exceptions',
    job: { kind: 'fio', rw: 'randread', block: '4k', depth: DEPTH },
    device: 'empty',
    extra: [],
    volumeShare: 0,
    bar: READ_BAR,
  },
  {
    id: 'snapshot-whole',
    title: '4 KiB writes to a snapshot, chunks of 4 KiB',
    job: write,
    device: 'whole',
    extra: [],
    volumeShare: 1,
    bar: WRITE_BAR,
  },
  {
    id: 'snapshot-whole-random',
    title: '4 KiB writes to a snapshot in random order',
    job: randomWrite,
    device: 'shuffled',
    extra: SHUFFLED,
    volumeShare: 1,
    bar: null,
  },
  {
    id: 'snapshot-half',
    title: '2 KiB writes to a snapshot, one to each chunk',
    job: write,
    device: 'half',
    extra: HALVES,
    volumeShare: 1,
    bar: WRITE_BAR,
  },
  {
    id: 'origin',
    title: '4 KiB writes to an origin with a snapshot',
    job: write,
    device: 'origin',
    extra: [],
    volumeShare: 1,
    bar: WRITE_BAR,
  },
  {
    id: 'origin-random',
    title: '4 KiB writes to an origin in random order',
    job: randomWrite,
    device: 'shuffled-origin',
    extra: SHUFFLED,
    volumeShare: 1,
    bar: null,
  },
  {
    id: 'origin-many',
    title: `4 KiB writes to an origin with ${ORIGIN_SNAPSHOT_COUNT} snapshots`,
    job: write,
    device: 'many',
    extra: [],
    volumeShare: MANY_SHARE,
    bar: null,
  },
];

interface Device {
  name: string;
  lines: string[];
}

export async function measureRound(
  round: number,
  results: readonly Result[],
  options: SnapshotBenchOptions,
): Promise<void> {
  const folder = join(options.folder, `round-${round}`);
  mkdirSync(folder);
  const socket = socketPath(folder, 'snapshot');
  const devices = [
    ...devicesOf(folder, 'warm-', WARM_BYTES),
    ...devicesOf(folder, '', options.diskBytes),
  ];
  const server = await RunningServer.start('snapshot', serveCommand(socket, devices), socket);
  try {
    for (const result of results) await measureCase(result, round, { server, folder, options });
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Place {
  server: RunningServer;
  folder: string;
  options: SnapshotBenchOptions;
}

async function measureCase(result: Result, round: number, place: Place): Promise<void> {
  const { device } = result.case;
  await rateOf(result.case, `warm-${device}`, WARM_BYTES, place);
  await rateOf(result.case, 'warm-linear', WARM_BYTES, place);
  const sides = round % 2 === 0 ? (['base', 'variant'] as const) : (['variant', 'base'] as const);
  for (const side of sides) {
    const name = side === 'base' ? 'linear' : device;
    const before = place.server.usage().cpuSeconds;
    const { rate, count } = await rateOf(result.case, name, place.options.diskBytes, place);
    result[side].push(rate);
    const cpuMicroseconds = ((place.server.usage().cpuSeconds - before) * 1e6) / count;
    result[`${side}Microseconds`].push(cpuMicroseconds);
    progress(`  ${result.case.id}  ${name}: ${rate.toFixed(1)} kIOPS`);
  }
}

async function rateOf(
  { job, extra, volumeShare }: Case,
  name: string,
  volumeBytes: number,
  { server, folder, options }: Place,
): Promise<{ rate: number; count: number }> {
  const isOnce = volumeShare > 0;
  const readSeconds = name.startsWith('warm-') ? WARM_SECONDS : options.seconds;
  const seconds = isOnce ? WRITE_LIMIT_SECONDS : readSeconds;
  const sizeBytes = volumeBytes * volumeShare;
  // Else what is left out is made up for from the start again.
  const writtenBytes = extra === HALVES ? sizeBytes / 2 : sizeBytes;
  const once = ['--time_based=0', `--size=${sizeBytes}`, `--io_size=${writtenBytes}`];
  const report = await fioReport(
    job,
    { uri: server.uri(name), seconds, folder },
    { extra: [...extra, ...(isOnce ? once : [])] },
  );
  const { iops, io_bytes } = isOnce ? report.write : report.read;
  const blockBytes = extra === HALVES ? 2048 : 4096;
  return { rate: iops / 1e3, count: io_bytes / blockBytes };
}

/** All files are written already: what is measured is not how fast tmpfs finds pages for their first content. */
function devicesOf(folder: string, prefix: string, diskBytes: number): Device[] {
  const sectors = diskBytes / SECTOR_BYTES;
  const disk = (name: string) => fillFile(join(folder, `${prefix}${name}.img`), diskBytes, 0x5a);
  const device = (name: string, words: string): Device => ({
    name: `${prefix}${name}`,
    lines: [`0 ${sectors} ${words}`],
  });
  const snapshot = (name: string, origin: string, dataBytes: number) => {
    // Room for the chunks and their exceptions.
    const cowBytes = dataBytes + dataBytes / 64 + 2 ** 20;
    const cow = fillFile(join(folder, `${prefix}${name}.cow`), cowBytes, 0);
    return device(name, `snapshot ${origin} ${cow} P ${CHUNK_SECTORS}`);
  };
  const image = disk('linear');
  const originOf = (name: string, count: number, dataBytes: number) => {
    const origin = disk(name);
    const snapshots = Array.from({ length: count }, (_, index) =>
      snapshot(`${name}-${index}`, origin, dataBytes),
    );
    return [...snapshots, device(name, `snapshot-origin ${origin}`)];
  };
  return [
    device('linear', `linear ${image} 0`),
    snapshot('empty', image, 0),
    ...['whole', 'shuffled', 'half'].map((name) => snapshot(name, image, diskBytes)),
    ...originOf('origin', 1, diskBytes),
    ...originOf('shuffled-origin', 1, diskBytes),
    ...originOf('many', ORIGIN_SNAPSHOT_COUNT, diskBytes * MANY_SHARE),
  ];
}

function fillFile(path: string, lengthBytes: number, byte: number): string {
  const piece = new Uint8Array(2 ** 20).fill(byte);
  writeFileSync(path, '');
  for (let done = 0; done < lengthBytes; done += piece.length) {
    writeFileSync(path, piece.subarray(0, lengthBytes - done), { flag: 'a' });
  }
  return path;
}
