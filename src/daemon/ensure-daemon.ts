/**
 * Starts a daemon in the background. Loaded by commands that want one, so it imports little.
 *
 * Two that start at once each spawn a process; the instance lock lets one of them live, and both starters end up with it.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, fchmodSync, openSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { sleep, systemClock } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';
import { makeStateFolder, stateFolder, statePaths } from '../system/state-folder.ts';
import { somebodyAnswers } from '../system/unix-socket.ts';

export interface EnsureDaemonOptions {
  folder?: string;
  /** Words for `devmapper daemon`, such as `--tab FILE`. */
  words?: readonly string[];
}

/** The first line that a daemon writes to `--ready-fd`, unless it says why it cannot run. */
export const READY_LINE = 'ready';
const START_MS = 30_000;
const READY_FD = 3;

/** Resolves when a daemon answers in the folder: with true when it is the one started here. Throws DmError. */
export async function ensureDaemon(options: EnsureDaemonOptions = {}): Promise<boolean> {
  const paths = statePaths(options.folder ?? stateFolder());
  makeStateFolder(paths);
  if (await somebodyAnswers(paths.control)) return false;
  const failure = await startDetached(paths.folder, paths.log, options.words ?? []);
  if (failure === null) return true;
  // Perhaps another starter was quicker, and its daemon is not yet at the point of answering.
  const deadlineMs = systemClock.nowMs() + START_MS;
  while (failure.includes(LOST_RACE) && systemClock.nowMs() < deadlineMs) {
    if (await somebodyAnswers(paths.control)) return false;
    await sleep(systemClock, 20);
  }
  throw new DmError('ECONNREFUSED', `Cannot start the daemon: ${failure} (log: ${paths.log})`);
}

/** Words of `runningError`. */
const LOST_RACE = 'runs there';

/** Null: it runs and answers; else its reason. */
async function startDetached(
  folder: string,
  log: string,
  words: readonly string[],
): Promise<string | null> {
  const child = spawnDaemon(folder, log, words);
  const ready = child.stdio[READY_FD] as Readable;
  try {
    const line = await firstLine(child, ready);
    return line === READY_LINE ? null : line;
  } finally {
    ready.destroy();
    child.unref();
  }
}

function spawnDaemon(folder: string, log: string, words: readonly string[]): ChildProcess {
  const program = fileURLToPath(new URL('../../bin/devmapper', import.meta.url));
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  const logFd = openSync(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
  // One that was there before may be readable by others.
  fchmodSync(logFd, 0o600);
  try {
    return spawn(process.execPath, [program, 'daemon', ...words, '--ready-fd', String(READY_FD)], {
      detached: true,
      env: daemonEnvironment(folder),
      stdio: ['ignore', logFd, logFd, 'pipe'],
    });
  } finally {
    closeSync(logFd);
  }
}

/** Without the preload library of `exec`: the daemon must see the world as it is. */
function daemonEnvironment(folder: string): NodeJS.ProcessEnv {
  const { LD_PRELOAD, LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, ...rest } = process.env;
  const preloads = (LD_PRELOAD ?? '').split(/[ :]+/);
  const others = preloads.filter((path) => path !== '' && !path.includes('devmapper'));
  const environment = { ...rest, DEVMAPPER_DIR: folder };
  return others.length === 0 ? environment : { ...environment, LD_PRELOAD: others.join(':') };
}

/** What the daemon says first, or why it says nothing. */
function firstLine(child: ChildProcess, ready: Readable): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const timer = systemClock.after(START_MS, () => {
      child.kill('SIGKILL');
      resolve(`it was not ready after ${START_MS} ms`);
    });
    const settle = (line: string) => {
      timer.cancel();
      resolve(line);
    };
    ready.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) settle(text.slice(0, end));
    });
    ready.on('end', () => settle('it ended at once'));
    child.on('error', (error) => settle(error.message));
  });
}
