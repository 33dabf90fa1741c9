/** `devmapper daemon` in the foreground: from the first lock to the last flush. */

import { closeSync, writeSync } from 'node:fs';
import { systemClock } from '../base/clock.ts';
import { activatedSockets } from '../daemon/activation.ts';
import { Daemon } from '../daemon/daemon.ts';
import { READY_LINE } from '../daemon/ensure-daemon.ts';
import { createLog, type LogLevel, rotateLog } from '../daemon/log.ts';
import { readTab } from '../daemon/tab.ts';
import { stateFolder, statePaths } from '../system/state-folder.ts';
import { keepOutOfCoreFiles } from './core-files.ts';
import type { DaemonCommandOptions } from './daemon-command.ts';
import { because, FAILURE_STATUS } from './failure.ts';
import { networkOptions } from './serve-listen.ts';
import { listenForStop } from './stop-signals.ts';
import { packageVersion } from './version.ts';

const LOG_FD = 2;
const LINGER_MS = 5000;

/** Resolves with the exit status, after a signal or a client's `stop`. */
export async function runDaemon(options: DaemonCommandOptions): Promise<number> {
  let daemon: Daemon | null = null;
  keepOutOfCoreFiles();
  const path = statePaths(stateFolder()).log;
  const log = createLog({ level: options.logLevel as LogLevel, fd: LOG_FD, path });
  const signals = listenForStop({
    say: (line) => log.info(line),
    waitingFor: () => '',
    forceAtSecond: true,
    force: () => {
      log.error('ended at once; what was not flushed may be lost');
      // Node's exit waits for its threads, and one that is asleep in a system call does not wake up for that.
      process.kill(process.pid, 'SIGKILL');
    },
  });
  try {
    daemon = await start(options, log);
    announce(daemon, options);
    const reason = await Promise.race([
      signals.stopped,
      daemon.stopRequested.then((request) => request.reason),
    ]);
    log.info(`${reason}: stopping`);
    if (await daemon.close()) return 0;
    endAnyway();
    return FAILURE_STATUS;
  } catch (error) {
    if (options.readyFd !== undefined) tell(options.readyFd, because(error));
    throw error;
  } finally {
    signals.dispose();
  }
}

/** Something was left behind that may keep this process, and nobody can reach it any more. */
function endAnyway(): void {
  const end = () => process.kill(process.pid, 'SIGKILL');
  systemClock.after(LINGER_MS, end, { background: true });
}

async function start(
  options: DaemonCommandOptions,
  log: ReturnType<typeof createLog>,
): Promise<Daemon> {
  const { tab, threads } = options;
  const activated = activatedSockets();
  const tabFile = tab === undefined ? undefined : readTab(tab);
  const nbd = { ...networkOptions(options), ...(threads !== undefined && { threads }) };
  const folder = statePaths(stateFolder()).folder;
  rotateLog(statePaths(folder).log);
  const daemon = await Daemon.start({
    folder,
    log,
    nbd,
    version: packageVersion(),
    lockImages: options.lock,
    ...(options.fuse && { fuse: true }),
    ...(tabFile && { tab: tabFile }),
    ...(activated && { activated }),
  });
  // Nobody shall be kept from unmounting the file system that it was started in.
  process.chdir('/');
  return daemon;
}

function announce(daemon: Daemon, { readyFd }: DaemonCommandOptions): void {
  if (readyFd !== undefined) {
    tell(readyFd, READY_LINE);
    return;
  }
  process.stdout.write(`devmapper: ready in ${daemon.paths.folder} (process id ${process.pid})\n`);
}

function tell(fd: number, line: string): void {
  try {
    writeSync(fd, `${line.replaceAll('\n', ' ')}\n`);
    closeSync(fd);
  } catch (error) {
    // Whoever started it has gone; what runs goes on.
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
  }
}
