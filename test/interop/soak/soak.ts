/**
 * Clients that hammer one daemon with random commands and are killed in the middle of them, and programs that have devices open when
 * they are. Afterwards nothing may be left: no device, no open count, no descriptor, no memory, no unanswered command.
 */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep, systemClock } from '../../../src/base/clock.ts';
import { createPrng, type Prng } from '../../../src/base/prng.ts';
import type { DmClient } from '../../../src/control/client/dm-client.ts';
import { connectClient } from '../../../src/control/client/index.ts';
import type { SoakMessage } from './client.ts';
import { DEVICE_COUNT } from './commands.ts';

export interface SoakOptions {
  seed: number;
  durationMs: number;
  clientCount: number;
  /** Shells with real dmsetup and dd, through `devmapper exec`. */
  shellCount: number;
  /** The daemon's; one must run there. */
  folder: string;
  /** Called every ten seconds. */
  onProgress?: (line: string) => void;
}

export interface SoakResult {
  outcomes: Record<string, number>;
  killCount: number;
  slowestMs: number;
  failures: string[];
  /** Of the daemon, sampled every second after the first ten, or after a third of a short run. */
  memoryMib: number[];
  /** Before and after. */
  descriptorCounts: [number, number];
}

const program = fileURLToPath(new URL('../../../bin/devmapper', import.meta.url));
const clientFile = fileURLToPath(new URL('./client.ts', import.meta.url));
const SECOND_MS = 1000;
const MIB = 2 ** 20;
const KILL_INTERVAL_MS = [300, 1500] as const;
const SETTLE_MS = 15_000;
const WAKE_MS = 2000;

interface DaemonView {
  pid: number;
  memoryBytes: number;
  controlConnectionCount: number;
}

export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const soak = new Soak(options);
  return await soak.run();
}

class Soak {
  readonly #options: SoakOptions;
  readonly #prng: Prng;
  readonly #workers = new Set<Worker>();
  readonly #result: SoakResult;

  constructor(options: SoakOptions) {
    this.#options = options;
    this.#prng = createPrng(options.seed);
    this.#result = {
      outcomes: {},
      killCount: 0,
      slowestMs: 0,
      failures: [],
      memoryMib: [],
      descriptorCounts: [0, 0],
    };
  }

  async run(): Promise<SoakResult> {
    const { folder, clientCount, shellCount } = this.#options;
    for (let index = 0; index < 4; index += 1) {
      writeFileSync(join(folder, `image${index}`), '');
      truncateSync(join(folder, `image${index}`), MIB);
    }
    await using client = await connectClient({ transport: 'socket', folder });
    await warmUp(client);
    const { pid } = await view(client);
    this.#result.descriptorCounts[0] = descriptorCount(pid);
    for (let index = 0; index < clientCount; index += 1) this.#startClient();
    for (let index = 0; index < shellCount; index += 1) this.#startShell();
    await this.#hammer(client);
    await Promise.all([...this.#workers].map((worker) => worker.kill()));
    await this.#checkNothingIsLeft(client);
    this.#result.descriptorCounts[1] = descriptorCount(pid);
    return this.#result;
  }

  async #hammer(client: DmClient): Promise<void> {
    const { durationMs, onProgress } = this.#options;
    const startedMs = systemClock.nowMs();
    const elapsedMs = () => systemClock.nowMs() - startedMs;
    const warmMs = Math.min(10 * SECOND_MS, durationMs / 3);
    let nextSampleMs = warmMs;
    let nextLineMs = 10 * SECOND_MS;
    while (elapsedMs() < durationMs && this.#result.failures.length === 0) {
      await sleep(systemClock, this.#prng.integer(...KILL_INTERVAL_MS));
      await this.#replaceOne();
      await wakeAll(this.#options.folder, client);
      if (elapsedMs() > nextSampleMs) {
        const { memoryBytes } = await view(client);
        this.#result.memoryMib.push(Math.round(memoryBytes / MIB));
        nextSampleMs += SECOND_MS;
      }
      if (elapsedMs() > nextLineMs) {
        onProgress?.(`${Math.round(elapsedMs() / SECOND_MS)} s: ${describe(this.#result)}`);
        nextLineMs += 10 * SECOND_MS;
      }
    }
  }

  async #replaceOne(): Promise<void> {
    const worker = this.#prng.pick([...this.#workers]);
    this.#workers.delete(worker);
    await worker.kill();
    this.#result.killCount += 1;
    if (worker.kind === 'client') this.#startClient();
    else this.#startShell();
  }

  #startClient(): void {
    const child = fork(clientFile, [String(this.#prng.uint32()), this.#options.folder], {
      execArgv: ['--import', 'tsx'],
    });
    child.on('message', (message: SoakMessage) => this.#receive(message));
    this.#workers.add(new Worker('client', child));
  }

  #receive(message: SoakMessage): void {
    const { outcomes, failures } = this.#result;
    if (message.kind === 'failure') {
      failures.push(message.reason);
      return;
    }
    this.#result.slowestMs = Math.max(this.#result.slowestMs, message.slowestMs);
    for (const [name, count] of Object.entries(message.outcomes)) {
      outcomes[name] = (outcomes[name] ?? 0) + count;
    }
  }

  #startShell(): void {
    const { folder } = this.#options;
    const nodes = join(folder, 'nodes');
    mkdirSync(nodes, { recursive: true });
    const child = spawn(process.execPath, [program, 'exec', '--', 'bash', '-c', shellScript], {
      stdio: 'ignore',
      // Its own group, so that all of it can be killed at once.
      detached: true,
      env: {
        ...process.env,
        DEVMAPPER_DIR: folder,
        DEVMAPPER_NO_BUILD: '1',
        DM_DEV_DIR: nodes,
        DM_DISABLE_UDEV: '1',
        RANDOM_SEED: String(this.#prng.integer(0, 32_767)),
      },
    });
    this.#workers.add(new Worker('shell', child));
  }

  /** Every device can be removed at last, and the daemon is as it was. */
  async #checkNothingIsLeft(client: DmClient): Promise<void> {
    const { failures } = this.#result;
    await wakeAll(this.#options.folder, client);
    for (const { name } of await client.list()) await giveZeroes(client, name);
    const isClosed = await eventually(async () => (await openDevices(client)).length === 0);
    if (!isClosed) failures.push(`still open: ${(await openDevices(client)).join(', ')}`);
    await client.removeAll();
    const rest = await client.list();
    if (rest.length > 0) failures.push(`still there: ${rest.map(({ name }) => name).join(', ')}`);
    const isAlone = await eventually(async () => (await view(client)).controlConnectionCount === 1);
    if (!isAlone) failures.push(`connections: ${(await view(client)).controlConnectionCount}`);
    const { pid } = await view(client);
    const [before] = this.#result.descriptorCounts;
    const hasClosed = await eventually(() => Promise.resolve(descriptorCount(pid) <= before));
    if (!hasClosed) failures.push(`descriptors: ${before} before, ${descriptorCount(pid)} after`);
  }
}

class Worker {
  readonly kind: 'client' | 'shell';
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(kind: 'client' | 'shell', child: ChildProcess) {
    this.kind = kind;
    this.#child = child;
    this.#ended = once(child, 'exit');
  }

  async kill(): Promise<void> {
    const { pid } = this.#child;
    if (this.kind === 'shell' && pid !== undefined) {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    } else {
      this.#child.kill('SIGKILL');
    }
    await this.#ended;
  }
}

/** Commands of the real dmsetup, and devices that are open when the shell is killed. */
const shellScript = `
RANDOM=$RANDOM_SEED
while :; do
  name=d$((RANDOM % ${DEVICE_COUNT}))
  case $((RANDOM % 6)) in
    0) dmsetup create "$name" --table "0 256 linear mem:1M 0" ;;
    1) dmsetup remove "$name" ;;
    2) dmsetup info -c ;;
    3) dmsetup suspend "$name"; dmsetup resume "$name" ;;
    *) dmsetup mknodes "$name"
       timeout -s KILL 1 dd if="$DM_DEV_DIR/mapper/$name" of=/dev/null bs=4k count=16
       timeout -s KILL 0.3 sleep 1 <"$DM_DEV_DIR/mapper/$name" ;;
  esac
done`;

async function view(client: DmClient): Promise<DaemonView> {
  return (await client.daemon('status')) as DaemonView;
}

/**
 * A request for a device waits while I/O is parked in a suspended device below it, as it does in a kernel; one device that nobody
 * resumes would in the end hold up everybody. So whatever is suspended goes on now and then, on connections of its own.
 */
async function wakeAll(folder: string, client: DmClient): Promise<void> {
  const entries = await client.list();
  await Promise.all(entries.map(({ name }) => wake(folder, client, name)));
}

async function wake(folder: string, client: DmClient, name: string): Promise<void> {
  const status = await client.status({ name }).catch(() => null);
  if (status === null || !(status.suspended || status.inactiveTable)) return;
  const other = await connectClient({ transport: 'socket', folder });
  // Closing ends what still waits: then somebody else is at the device.
  const timer = systemClock.after(WAKE_MS, () => void other[Symbol.asyncDispose]());
  await giveZeroes(other, name);
  timer.cancel();
  await other[Symbol.asyncDispose]();
}

/** Nothing below it any more. That somebody else removed the device meanwhile is fine. */
async function giveZeroes(client: DmClient, name: string): Promise<void> {
  const row = { start: 0, length: 8, type: 'zero', params: '' };
  await client.load({ name }, [row]).catch(() => undefined);
  await client.resume({ name }).catch(() => undefined);
}

/** What a daemon has only once it has been used does not count as left over. */
async function warmUp(client: DmClient): Promise<void> {
  await client.create({ name: 'warm' });
  await client.load({ name: 'warm' }, [
    { start: 0, length: 8, type: 'linear', params: 'mem:1M 0' },
  ]);
  await client.resume({ name: 'warm' });
  await client.remove({ name: 'warm' });
}

function descriptorCount(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

async function openDevices(client: DmClient): Promise<string[]> {
  const open: string[] = [];
  for (const { name } of await client.list()) {
    const { openCount } = await client.status({ name });
    if (openCount > 0) open.push(`${name} (${openCount})`);
  }
  return open;
}

async function eventually(condition: () => Promise<boolean>): Promise<boolean> {
  const deadlineMs = systemClock.nowMs() + SETTLE_MS;
  while (!(await condition())) {
    if (systemClock.nowMs() > deadlineMs) return false;
    await sleep(systemClock, 50);
  }
  return true;
}

export function describe(result: SoakResult): string {
  const total = Object.values(result.outcomes).reduce((sum, count) => sum + count, 0);
  const outcomes = Object.entries(result.outcomes).map(([name, count]) => `${name} ${count}`);
  const { memoryMib, killCount } = result;
  const memory = `${memoryMib[0] ?? '?'} to ${memoryMib.at(-1) ?? '?'} MiB`;
  const slowest = `slowest ${Math.round(result.slowestMs)} ms`;
  return `${total} commands (${outcomes.join(', ')}), ${killCount} kills, ${slowest}, ${memory}`;
}
