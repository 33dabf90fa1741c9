/** A command of the user's, run by /bin/sh in a group of its own, so that nothing that it began is left when it is over. */

import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { systemClock } from '../../base/clock.ts';

/** After a polite signal. */
const KILL_AFTER_MS = 3000;

export interface CommandOptions {
  environment: NodeJS.ProcessEnv;
  stdio: StdioOptions;
  /** Ends it, and all that it began. */
  signal: AbortSignal;
}

/** Resolves with the exit status, or with what else ended it. */
export async function runCommand(
  command: string,
  { environment, stdio, signal }: CommandOptions,
): Promise<number | string> {
  const child = spawn('/bin/sh', ['-c', command], { stdio, env: environment, detached: true });
  const end = () => {
    killGroup(child, 'SIGTERM');
    systemClock.after(KILL_AFTER_MS, () => killGroup(child, 'SIGKILL'), { background: true });
  };
  const killAtExit = () => killGroup(child, 'SIGKILL');
  process.on('exit', killAtExit);
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  try {
    return await new Promise<string | number>((resolve) => {
      child.on('error', (error) => resolve(error.message));
      child.on('exit', (status, killedBy) => resolve(status ?? killedBy ?? 'unknown'));
    });
  } finally {
    signal.removeEventListener('abort', end);
    process.off('exit', killAtExit);
    killGroup(child, 'SIGKILL');
  }
}

function killGroup({ pid }: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
