/** Encrypted images over NBD, side by side with nbdkit's luks filter and qemu-nbd's luks driver on the same LUKS1 image. */

import type { Bar } from './bars.ts';
import { type JobContext, ROWS, type Row, runJob } from './jobs.ts';
import { createLuksImages, type LuksImages } from './luks-images.ts';
import { verifySameContent } from './luks-verify.ts';
import { formatBars, formatTable } from './report.ts';
import { DEVMAPPER, RunningServer, socketPath } from './servers.ts';
import { median, spread } from './statistics.ts';
import { progress, requirePrograms } from './tools.ts';

export interface LuksBenchOptions {
  rounds: number;
  seconds: number;
  diskBytes: number;
  folder: string;
  quick: boolean;
  json: boolean;
}

const SERVERS = ['luks1', 'luks2', 'luks2-4096', 'nbdkit', 'qemu-nbd'] as const;
type LuksServer = (typeof SERVERS)[number];
const PEERS: readonly LuksServer[] = ['nbdkit', 'qemu-nbd'];
/** In words of `jobs.ts`, and how many times the better peer ours must be. */
const ROW_BARS: Readonly<Record<string, number>> = {
  'read-1m': 3,
  'write-1m': 3,
  'read-4k': 2,
  'write-4k': 2,
};
/** "No slower": what two runs of one and the same server may lie apart. */
const NO_SLOWER = 0.95;
const WARM_SECONDS = 2;

interface Result {
  /** In the row's unit. */
  rate: number;
  /** Of the server alone: says something even on a machine that does other things. */
  cpuSecondsPerGib: number;
}

/** Row id, server, rounds. */
type Results = Map<string, Map<LuksServer, Result[]>>;

/** Whether every bar was kept. */
export async function runLuks(options: LuksBenchOptions): Promise<boolean> {
  requirePrograms(['fio', 'nbdcopy', 'nbdkit', 'qemu-nbd', 'cryptsetup', 'cmp']);
  const images = await createLuksImages(options.folder, options.diskBytes);
  const rows = ROWS.filter(({ id }) => id in ROW_BARS);
  const results: Results = new Map(rows.map(({ id }) => [id, new Map()]));
  for (let round = 0; round < options.rounds; round += 1) {
    await measureRound(round, { rows, images, results, options });
  }
  const bars = options.quick ? [] : rows.flatMap((row) => judge(row, results.get(row.id)!));
  if (options.json) {
    const plain = rows.map(({ id, unit }) => ({
      row: id,
      unit,
      results: Object.fromEntries(results.get(id)!),
    }));
    process.stdout.write(`${JSON.stringify({ rows: plain, bars }, null, 2)}\n`);
  } else {
    const parts = [formatResults(rows, results), ...(bars.length > 0 ? [formatBars(bars)] : [])];
    process.stdout.write(`${parts.join('\n\n')}\n`);
  }
  return bars.every(({ passed }) => passed);
}

interface Round {
  rows: readonly Row[];
  images: LuksImages;
  results: Results;
  options: LuksBenchOptions;
}

async function measureRound(
  round: number,
  { rows, images, results, options }: Round,
): Promise<void> {
  const { folder, seconds, diskBytes } = options;
  const servers: RunningServer[] = [];
  try {
    for (const name of SERVERS) {
      const socket = socketPath(folder, name);
      servers.push(await RunningServer.start(name, commandOf(name, images, socket), socket));
    }
    const context = (server: RunningServer) => ({
      uri: server.uri(),
      folder,
      seconds,
      reference: images.passphraseFile,
      volumeBytes: diskBytes,
    });
    const [ours, ...others] = servers.filter(({ name }) => name === 'luks1' || isPeer(name));
    if (round === 0) await verifySameContent(folder, ours!, others);
    for (const row of rows) {
      // Each row anew: what a server compiled for reads says nothing about writes.
      for (const server of servers) {
        await runJob(row, { ...context(server), seconds: WARM_SECONDS });
      }
      for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
        const result = await measure(row, server, context(server));
        note(results.get(row.id)!, server.name as LuksServer, result);
        progress(
          `round ${round + 1}/${options.rounds}  ${row.id}  ${server.name}: ${result.rate.toFixed(1)} ${row.unit}`,
        );
      }
    }
  } finally {
    for (const server of servers) await server.stop();
  }
}

async function measure(row: Row, server: RunningServer, context: JobContext): Promise<Result> {
  const before = server.usage().cpuSeconds;
  const { rate, bytes } = await runJob(row, context);
  const cpuSeconds = server.usage().cpuSeconds - before;
  return { rate, cpuSecondsPerGib: cpuSeconds / (bytes / 2 ** 30) };
}

function isPeer(name: string): boolean {
  return PEERS.some((peer) => peer === name);
}

function commandOf(name: LuksServer, images: LuksImages, socket: string): string[] {
  const { passphraseFile, luks1, luks1Copies, luks2, luks2Large } = images;
  switch (name) {
    case 'luks1':
      return serveLuks(luks1, passphraseFile, socket);
    case 'luks2':
      return serveLuks(luks2, passphraseFile, socket);
    case 'luks2-4096':
      return serveLuks(luks2Large, passphraseFile, socket);
    case 'nbdkit':
      return [
        ...['nbdkit', '-f', '-U', socket, 'file', luks1Copies.nbdkit],
        ...['--filter=luks', `passphrase=+${passphraseFile}`],
      ];
    case 'qemu-nbd':
      return [
        ...['qemu-nbd', '--object', `secret,id=key,file=${passphraseFile}`],
        ...['--image-opts', `driver=luks,file.filename=${luks1Copies.qemu},key-secret=key`],
        ...['--cache=writeback', '-e', '8', '--persistent', '-x', 'disk', '-k', socket],
      ];
  }
}

function serveLuks(image: string, passphraseFile: string, socket: string): string[] {
  return [DEVMAPPER, 'serve', '--luks', image, '--key-file', passphraseFile, '--socket', socket];
}

function note(results: Map<LuksServer, Result[]>, server: LuksServer, result: Result): void {
  results.set(server, [...(results.get(server) ?? []), result]);
}

function judge(row: Row, results: ReadonlyMap<LuksServer, Result[]>): Bar[] {
  const rate = (name: LuksServer) => median(results.get(name)!.map((result) => result.rate));
  const best = Math.max(...PEERS.map(rate));
  const bar = (title: string, value: number, min: number): Bar => ({
    title: `${row.title}: ${title}`,
    limit: `>= ${min}`,
    got: value.toFixed(2),
    passed: value >= min,
  });
  return [
    bar('LUKS1 against the better peer', rate('luks1') / best, ROW_BARS[row.id]!),
    bar('LUKS2 against the better peer', rate('luks2') / best, ROW_BARS[row.id]!),
    bar('LUKS2 against LUKS1', rate('luks2') / rate('luks1'), NO_SLOWER),
    bar('sectors of 4096 against 512', rate('luks2-4096') / rate('luks2'), NO_SLOWER),
  ];
}

function formatResults(rows: readonly Row[], results: Results): string {
  const rates = (values: readonly number[]) =>
    `${median(values).toFixed(1)} ±${(spread(values) * 50).toFixed(0)}%`;
  const line = (row: Row, unit: string, cell: (results: Result[]) => string) => [
    row.title,
    unit,
    ...SERVERS.map((name) => cell(results.get(row.id)!.get(name)!)),
  ];
  return formatTable(
    ['row', 'unit', ...SERVERS],
    [
      ...rows.map((row) => line(row, row.unit, (each) => rates(each.map(({ rate }) => rate)))),
      ...rows.map((row) =>
        line(row, 'CPU s per GiB', (each) =>
          median(each.map(({ cpuSecondsPerGib }) => cpuSecondsPerGib)).toFixed(2),
        ),
      ),
    ],
  );
}
