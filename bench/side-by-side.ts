/**
 * Our server beside its peers. All are up during a round and each row asks them one after the other, so that what
 * happens on the machine at that moment happens to all; who goes first changes from round to round.
 */

import { availableParallelism } from 'node:os';
import { systemClock } from '../src/base/clock.ts';
import { createImages, type Images } from './images.ts';
import { type JobContext, type Row, runJob, type Sample, verifyContent } from './jobs.ts';
import { readForeignCpuSeconds } from './process-usage.ts';
import { OURS, RunningServer, type ServerName, serverCommand, socketPath } from './servers.ts';
import { geometricMean, median, sum } from './statistics.ts';
import { progress } from './tools.ts';

export interface SideBySideOptions {
  folder: string;
  diskBytes: number;
  rounds: number;
  seconds: number;
  /** How often a disturbed measurement is made; the least disturbed one counts. */
  tries: number;
  servers: readonly ServerName[];
  rows: readonly Row[];
}

export interface Measurement extends Sample {
  server: ServerName;
  row: string;
  round: number;
  cpuSeconds: number;
  /** Share of the machine's processors that others used meanwhile. */
  disturbance: number;
}

export interface SideBySide {
  measurements: Measurement[];
  peakBytes: Map<ServerName, number>;
}

/** Long enough that code on the way of every request is compiled where it outlives a connection. */
const WARM_SECONDS = 0.3;

export async function measureSideBySide(options: SideBySideOptions): Promise<SideBySide> {
  const images = createImages(options.folder, options.diskBytes);
  const result: SideBySide = { measurements: [], peakBytes: new Map() };
  for (let round = 0; round < options.rounds; round += 1) {
    const servers: RunningServer[] = [];
    try {
      for (const name of options.servers) servers.push(await startServer(name, images, options));
      await measureRound(round, rotate(servers, round), images, options, result);
    } finally {
      for (const server of servers) await server.stop();
    }
  }
  return result;
}

function startServer(name: ServerName, images: Images, { folder }: SideBySideOptions) {
  const socket = socketPath(folder, name);
  return RunningServer.start(name, serverCommand(name, images, socket), socket);
}

function rotate<T>(items: readonly T[], count: number): T[] {
  const start = count % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

async function measureRound(
  round: number,
  servers: readonly RunningServer[],
  images: Images,
  options: SideBySideOptions,
  result: SideBySide,
): Promise<void> {
  const contextOf = (server: RunningServer): JobContext => ({
    uri: server.uri(),
    seconds: options.seconds,
    folder: options.folder,
    reference: images.reference,
    volumeBytes: 2 * images.diskBytes,
  });
  for (const server of servers) {
    if (round === 0) await verifyContent(server.name, contextOf(server));
    await runJob(options.rows[0]!, { ...contextOf(server), seconds: WARM_SECONDS });
  }
  for (const row of options.rows) {
    for (const server of servers) {
      const sample = await measureQuietly(server, row, contextOf(server), options.tries);
      result.measurements.push({ ...sample, round });
      progress(
        `round ${round + 1}/${options.rounds}  ${row.id}  ${server.name}: ${sample.rate.toFixed(1)} ${row.unit}`,
      );
    }
  }
  for (const server of servers) notePeak(result, server);
}

/** Of the processors' time; less is as good as none. */
const CALM = 0.05;

async function measureQuietly(server: RunningServer, row: Row, context: JobContext, tries: number) {
  let best = await measureOne(server, row, context);
  for (let done = 1; done < tries && best.disturbance > CALM; done += 1) {
    const next = await measureOne(server, row, context);
    if (next.disturbance < best.disturbance) best = next;
  }
  return best;
}

async function measureOne(server: RunningServer, row: Row, context: JobContext) {
  const cpuBefore = server.usage().cpuSeconds;
  const foreignBefore = readForeignCpuSeconds();
  const startMs = systemClock.nowMs();
  const sample = await runJob(row, context);
  const wallSeconds = (systemClock.nowMs() - startMs) / 1e3;
  const foreignSeconds = Math.max(0, readForeignCpuSeconds() - foreignBefore);
  return {
    ...sample,
    server: server.name as ServerName,
    row: row.id,
    cpuSeconds: server.usage().cpuSeconds - cpuBefore,
    disturbance: foreignSeconds / (wallSeconds * availableParallelism()),
  };
}

function notePeak(result: SideBySide, server: RunningServer): void {
  const name = server.name as ServerName;
  const { peakBytes } = server.usage();
  result.peakBytes.set(name, Math.max(peakBytes, result.peakBytes.get(name) ?? 0));
}

export interface RowResult {
  row: Row;
  /** Of each round, in the row's unit. */
  rates: Map<ServerName, number[]>;
  /** Median of ours over the median of the best peer; null when one of them was not measured. */
  ratio: number | null;
}

export function summarizeRows(rows: readonly Row[], { measurements }: SideBySide): RowResult[] {
  return rows.map((row) => {
    const rates = new Map<ServerName, number[]>();
    for (const { server, row: id, rate } of measurements) {
      if (id !== row.id) continue;
      rates.set(server, [...(rates.get(server) ?? []), rate]);
    }
    const ours = rates.get(OURS);
    const peers = [...rates].filter(([name]) => name !== OURS).map(([, values]) => median(values));
    const ratio = ours && peers.length > 0 ? median(ours) / Math.max(...peers) : null;
    return { row, rates, ratio };
  });
}

/** null unless every row that counts has a ratio. */
export function meanRatio(results: readonly RowResult[]): number | null {
  const ratios = results.filter(({ row }) => row.counts).map(({ ratio }) => ratio);
  if (ratios.length === 0) return null;
  return ratios.every((ratio) => ratio !== null) ? geometricMean(ratios) : null;
}

export interface ServerCost {
  server: ServerName;
  /** Over all rows of a round; the median round. */
  cpuSeconds: number;
  /** Rows last equally long whatever the server does in them, so this is what compares. */
  cpuSecondsPerGib: number;
  peakBytes: number;
}

export function summarizeCosts({ measurements, peakBytes }: SideBySide): ServerCost[] {
  return [...peakBytes].map(([server, peak]) => {
    const own = measurements.filter((measurement) => measurement.server === server);
    const rounds = [...new Set(own.map(({ round }) => round))];
    const cpuSeconds = median(
      rounds.map((round) =>
        sum(own.filter((one) => one.round === round).map((one) => one.cpuSeconds)),
      ),
    );
    const gib = sum(own.map(({ bytes }) => bytes)) / 2 ** 30;
    const cpuSecondsPerGib = sum(own.map((one) => one.cpuSeconds)) / gib;
    return { server, cpuSeconds, cpuSecondsPerGib, peakBytes: peak };
  });
}
