/** The control interface: a daemon of its own, measured through its socket and through commands. */

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DmClient } from '../src/control/client/dm-client.ts';
import type * as ControlClient from '../src/control/client/index.ts';
import { ensureDaemon } from '../src/daemon/ensure-daemon.ts';
import type { DaemonStatus } from '../src/daemon/status-method.ts';
import type { Bar } from './bars.ts';
import { formatBars } from './report.ts';
import { DEVMAPPER } from './servers.ts';
import { median } from './statistics.ts';
import { ensureBuild } from './tools.ts';

/** The client as people have it: what runs these sources as they are adds a fifth to each of its requests. */
const BUILT_CLIENT = new URL('../dist/control/client/index.js', import.meta.url);
const MIB = 1 << 20;
/** So long a daemon that has just started still compiles what it runs; people's have been up for longer. */
const WARM_UP_SECONDS = 4;

export interface ControlBenchOptions {
  rounds: number;
  seconds: number;
  folder: string;
  quick: boolean;
  json: boolean;
}

const row = (start: number, params: string, length = 8) => ({
  start,
  length,
  type: 'linear',
  params,
});

/** Whether every bar was kept. */
export async function runControl(options: ControlBenchOptions): Promise<boolean> {
  const folder = join(options.folder, 'state');
  const image = join(options.folder, 'image');
  writeFileSync(image, new Uint8Array(MIB));
  ensureBuild();
  await ensureDaemon({ folder });
  const { connectClient } = (await import(BUILT_CLIENT.href)) as typeof ControlClient;
  const client = await connectClient({ transport: 'socket', folder });
  try {
    const bars = await measure(client, image, folder, options);
    const results = bars.map(({ title, got, limit, passed }) => ({ title, got, limit, passed }));
    process.stdout.write(options.json ? `${JSON.stringify(results)}\n` : `${formatBars(bars)}\n`);
    return bars.every(({ passed }) => passed);
  } finally {
    await client.daemon('stop', { force: true });
    await client[Symbol.asyncDispose]();
  }
}

async function measure(
  client: DmClient,
  image: string,
  folder: string,
  { rounds, seconds, quick }: ControlBenchOptions,
): Promise<Bar[]> {
  const rates: number[] = [];
  await cyclesPerSecond(client, image, WARM_UP_SECONDS);
  for (let round = 0; round < rounds; round += 1) {
    rates.push(await cyclesPerSecond(client, image, seconds));
  }
  await create(client, 'one', [row(0, `${image} 0`)]);
  const infoMs = await commandMs(folder, rounds, ['info', 'one']);
  const deviceCount = quick ? 500 : 10_000;
  for (let index = 0; index < deviceCount; index += 1) {
    await client.create({ name: `device-${index}` });
  }
  const lsMs = await commandMs(folder, rounds, ['ls']);
  await client.removeAll();
  const memoryBytes = await stackMemory(client, image, quick ? 50 : 1000);
  return [
    {
      title: 'create, load, resume and remove of a linear device',
      limit: 'at least 2000 a second',
      got: `${median(rates).toFixed(0)} a second`,
      passed: median(rates) >= 2000,
    },
    timeBar('devmapper info, start to end', infoMs, 120),
    timeBar(`devmapper ls of ${deviceCount} devices`, lsMs, 500),
    {
      title: 'daemon with 1000 devices of 100 rows, one on the other',
      limit: 'at most 300 MB',
      got: `${(memoryBytes / 1e6).toFixed(0)} MB`,
      passed: memoryBytes <= 300e6,
    },
  ];
}

function timeBar(title: string, ms: number, limitMs: number): Bar {
  const [limit, got] = [`at most ${limitMs} ms`, `${ms.toFixed(0)} ms`];
  return { title, limit, got, passed: ms <= limitMs };
}

async function create(client: DmClient, name: string, rows: ReturnType<typeof row>[]) {
  await client.create({ name });
  await client.load({ name }, rows);
  await client.resume({ name });
}

async function cyclesPerSecond(client: DmClient, image: string, seconds: number): Promise<number> {
  const startMs = performance.now();
  let count = 0;
  while (performance.now() - startMs < seconds * 1000) {
    await create(client, 'cycle', [row(0, `${image} 0`)]);
    await client.remove({ name: 'cycle' });
    count += 1;
  }
  return (count * 1000) / (performance.now() - startMs);
}

/** Of one more than `rounds` runs: the first one also fills caches. */
async function commandMs(folder: string, rounds: number, words: string[]): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const startMs = performance.now();
    await run(folder, words);
    if (round > 0) times.push(performance.now() - startMs);
  }
  return median(times);
}

function run(folder: string, words: readonly string[]): Promise<void> {
  const env = { ...process.env, DEVMAPPER_DIR: folder };
  const child = spawn(DEVMAPPER, words, { env, stdio: 'ignore' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`devmapper ${words.join(' ')} ended with ${status}`));
    });
  });
}

/** Resident bytes of the daemon. Each device stands on the one before, in stacks of ten. */
async function stackMemory(client: DmClient, image: string, deviceCount: number): Promise<number> {
  for (let index = 0; index < deviceCount; index += 1) {
    const isBottom = index % 10 === 0;
    const below = isBottom ? image : `/dev/mapper/stack-${index - 1}`;
    const rows = Array.from({ length: 100 }, (_, at) => row(at * 8, `${below} ${at * 8}`));
    await create(client, `stack-${index}`, rows);
  }
  return ((await client.daemon('status')) as DaemonStatus).memoryBytes;
}
