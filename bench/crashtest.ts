/** Crash testing: states a second of a disk of 64 MiB with a check that looks at nothing, by the command and in one process. */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CrashtestDisk, crashtest } from '../src/crashtest/crashtest.ts';
import type { Bar } from './bars.ts';
import { formatBars } from './report.ts';
import { DEVMAPPER } from './servers.ts';
import { ensureBuild } from './tools.ts';

const DISK_BYTES = 64 * 2 ** 20;
/** Of one core: what a second of its time must do. */
const LEAST_STATES = 200;
/** Clock ticks of /proc/PID/stat. */
const TICKS_PER_SECOND = 100;

export interface CrashtestBenchOptions {
  folder: string;
  quick: boolean;
  json: boolean;
}

/** As a database does: some pages, a flush, now and then a large write. */
async function workload(disk: CrashtestDisk): Promise<void> {
  for (let round = 0; round < 200; round += 1) {
    for (let page = 0; page < 4; page += 1) {
      const offsetBytes = ((round * 37 + page * 1021) % 16_000) * 4096;
      await disk.write({ offsetBytes, data: new Uint8Array(4096).fill(round + page + 1) });
    }
    if (round % 20 === 0) {
      await disk.write({ offsetBytes: 2 ** 20, data: new Uint8Array(2 ** 20).fill(round + 1) });
    }
    await disk.flush();
  }
}

/** Whether the bar was kept. */
export async function runCrashtestBench(options: CrashtestBenchOptions): Promise<boolean> {
  const { folder, quick, json } = options;
  const stateCount = quick ? 100 : 3000;
  ensureBuild();
  const keepLog = join(folder, 'crash.log');
  await crashtest({ sizeBytes: DISK_BYTES, workload, check: () => false, keepLog });
  const before = process.cpuUsage();
  const own = await crashtest({
    log: keepLog,
    sizeBytes: DISK_BYTES,
    check: () => {},
    budget: { stateCount },
  });
  const { user, system } = process.cpuUsage(before);
  const command = await runCommand(keepLog, stateCount);
  const facts = {
    commandStatesPerSecond: Math.round((command.stateCount * 1000) / command.elapsedMs),
    commandStatesPerCpuSecond: Math.round(command.stateCount / command.cpuSeconds),
    functionStatesPerCpuSecond: Math.round((own.stateCount * 1e6) / (user + system)),
  };
  const got = facts.commandStatesPerCpuSecond;
  const bar: Bar = {
    title: 'states for each second of processor time, with all processes',
    limit: `>= ${LEAST_STATES}`,
    got: String(got),
    passed: got >= LEAST_STATES,
  };
  const lines = [
    `crashtest, 64 MiB, --check true, one job: ${facts.commandStatesPerSecond} states/s`,
    `a check that is a function: ${facts.functionStatesPerCpuSecond} states for each second of processor time`,
  ];
  const text = json ? JSON.stringify(facts) : [...lines, formatBars([bar])].join('\n');
  process.stdout.write(`${text}\n`);
  return quick || bar.passed;
}

interface CommandResult {
  stateCount: number;
  elapsedMs: number;
  /** Of the command and everything it began, starting it included. */
  cpuSeconds: number;
}

async function runCommand(log: string, budget: number): Promise<CommandResult> {
  const words = ['crashtest', '--log', log, '--size', String(DISK_BYTES), '--check', 'true'];
  const limits = ['--budget', String(budget), '-j', '1', '-q', '--no-device', '--json', '-'];
  const before = childSeconds();
  const env = { ...process.env, DEVMAPPER_NO_BUILD: '1' };
  const child = spawn(DEVMAPPER, [...words, ...limits], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  for await (const chunk of child.stdout) text += String(chunk);
  if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode !== 0) throw new Error(`devmapper crashtest ended with ${child.exitCode}`);
  const { stateCount, elapsedMs } = JSON.parse(text) as CommandResult;
  return { stateCount, elapsedMs, cpuSeconds: childSeconds() - before };
}

/** Of children that ended, and theirs. */
function childSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  // Behind the name, which may hold anything: utime and stime of children are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}
