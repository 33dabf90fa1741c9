/** `devmapper daemon start|stop|status`: what one says to a daemon in the background. */

import { sleep, systemClock } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';
import { formatBytes } from '../base/units.ts';
import type { DmClient } from '../control/client/dm-client.ts';
import { connectClient } from '../control/client/index.ts';
import { ensureDaemon } from '../daemon/ensure-daemon.ts';
import { isLocked } from '../daemon/instance-lock.ts';
import type { DaemonStatus } from '../daemon/status-method.ts';
import type { StopAnswer } from '../daemon/stop-method.ts';
import { type StatePaths, stateFolder, statePaths } from '../system/state-folder.ts';
import type { DaemonCommandOptions } from './daemon-command.ts';
import { CommandError, FAILURE_STATUS } from './failure.ts';

/** As init scripts have it. */
const NOT_RUNNING_STATUS = 3;
const END_MS = 60_000;

export async function startDaemon(options: DaemonCommandOptions): Promise<number> {
  const paths = statePaths(stateFolder());
  const isOurs = await ensureDaemon({ folder: paths.folder, words: wordsOf(options) });
  await using client = await connectClient({ transport: 'socket' });
  const { pid } = (await client.daemon('status')) as DaemonStatus;
  if (!isOurs) {
    const running = `a daemon with process id ${pid} runs in ${paths.folder} already`;
    throw new CommandError(`Cannot start a daemon: ${running}`);
  }
  process.stdout.write(`devmapper: daemon started in ${paths.folder} (process id ${pid})\n`);
  return 0;
}

/** The options again, as the process in the background reads them. It starts in this folder, so paths stay right. */
function wordsOf(options: DaemonCommandOptions): string[] {
  const values: [flag: string, value: string | number | undefined][] = [
    ['--tab', options.tab],
    ['--listen', options.listen],
    ['--tls-cert', options.tlsCert],
    ['--tls-key', options.tlsKey],
    ['--tls-ca', options.tlsCa],
    ['--tls-psk', options.tlsPsk],
    ['--threads', options.threads],
    ['--log-level', options.logLevel],
  ];
  const switches: [flag: string, on: boolean | undefined][] = [
    ['--fuse', options.fuse],
    ['--insecure', options.insecure],
    ['--tls-verify-peer', options.tlsVerifyPeer],
    ['--no-lock', !options.lock],
  ];
  return [
    ...values.flatMap(([flag, value]) => (value === undefined ? [] : [flag, String(value)])),
    ...switches.flatMap(([flag, on]) => (on ? [flag] : [])),
  ];
}

export async function stopDaemon({ force, json }: DaemonCommandOptions): Promise<number> {
  const paths = statePaths(stateFolder());
  const answer = await askDaemon(paths, (client) =>
    client.daemon('stop', { force: force ?? false }),
  );
  if (answer === null) return reportNotRunning(paths, json);
  await waitForEnd(paths);
  const { pid, problems } = answer as StopAnswer;
  if (json) process.stdout.write(`${JSON.stringify({ pid, problems })}\n`);
  if (problems.length === 0) return 0;
  process.stderr.write(`devmapper: the daemon stopped, but: ${problems.join('; ')}\n`);
  return FAILURE_STATUS;
}

/** The lock goes last, when everything is flushed and given back. */
async function waitForEnd(paths: StatePaths): Promise<void> {
  const deadlineMs = systemClock.nowMs() + END_MS;
  while (isLocked(paths.lock)) {
    if (systemClock.nowMs() > deadlineMs) {
      throw new DmError('ETIMEDOUT', `The daemon is still ending after ${END_MS} ms: ${paths.log}`);
    }
    await sleep(systemClock, 10);
  }
}

export async function showStatus({ json }: DaemonCommandOptions): Promise<number> {
  const paths = statePaths(stateFolder());
  const answer = await askDaemon(paths, (client) => client.daemon('status'));
  if (answer === null) return reportNotRunning(paths, json);
  const status = answer as DaemonStatus;
  const text = json ? JSON.stringify({ running: true, ...status }) : describe(status);
  process.stdout.write(`${text}\n`);
  return 0;
}

function describe(status: DaemonStatus): string {
  const { pid, folder, version, uptimeMs, deviceCount, nbd, services } = status;
  const rows: [name: string, value: string][] = [
    ['running', `process id ${pid}, devmapper ${version}, for ${formatDuration(uptimeMs)}`],
    ['folder', folder],
    ['devices', String(deviceCount)],
    ['nbd', `${nbd.addresses.join(', ')} (${countOf(nbd.connectionCount, 'client')})`],
    ['memory', formatBytes(status.memoryBytes)],
    ...Object.entries(services).map(([name, value]): [string, string] => [
      name,
      describeService(value),
    ]),
  ];
  return rows.map(([name, value]) => `${`${name}:`.padEnd(10)}${value}`).join('\n');
}

/** What a service says of itself: its folder first, then how many of what, `openFileCount: 2` as `2 open files`. */
export function describeService(value: unknown): string {
  const { folder, ...counts } = (value ?? {}) as Record<string, unknown>;
  const words = Object.entries(counts).map(([key, count]) => {
    const noun = key
      .replace(/Count$/, '')
      .replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    return key.endsWith('Count') ? countOf(count as number, noun) : `${noun} ${String(count)}`;
  });
  const details = words.length === 0 ? '' : ` (${words.join(', ')})`;
  return `${typeof folder === 'string' ? `in ${folder}` : 'on'}${details}`;
}

function countOf(count: number, noun: string): string {
  const isPlural = count !== 1 && !noun.endsWith('under way');
  return `${count} ${noun}${isPlural ? 's' : ''}`;
}

function formatDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  const from = parts.findIndex(([value]) => value > 0);
  return (from < 0 ? parts.slice(-1) : parts.slice(from, from + 2))
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}

/** Null: no daemon runs. */
async function askDaemon(
  paths: StatePaths,
  ask: (client: DmClient) => Promise<unknown>,
): Promise<unknown> {
  try {
    await using client = await connectClient({ transport: 'socket', folder: paths.folder });
    return await ask(client);
  } catch (error) {
    const isAbsent = error instanceof DmError && ['ENOENT', 'ECONNREFUSED'].includes(error.code);
    if (isAbsent) return null;
    throw error;
  }
}

function reportNotRunning(paths: StatePaths, json: boolean | undefined): number {
  if (json) {
    process.stdout.write(`${JSON.stringify({ running: false, folder: paths.folder })}\n`);
  } else {
    process.stderr.write(`devmapper: no daemon runs in ${paths.folder}\n`);
  }
  return NOT_RUNNING_STATUS;
}
