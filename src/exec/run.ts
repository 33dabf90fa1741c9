/** Runs one program in the world and ends as it ends. */

import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { ProgramError } from './program-error.ts';

/** Passed on to the program; the terminal sends its own (^C, ^\, ^Z) to the whole group already. */
const FORWARDED: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'];
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];
/** Shells' way to say which signal ended a program. */
const SIGNAL_STATUS = 128;

/** Resolves with the program's exit status. Throws DmError when it cannot be started. */
export async function runProgram(
  program: string,
  words: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const child = spawn(program, words, { stdio: 'inherit', env: environment });
  const stop = passSignals(child);
  try {
    return await ended(child, program);
  } finally {
    stop();
  }
}

function passSignals(child: ChildProcess): () => void {
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  const fromTerminal = (signal: NodeJS.Signals) => {
    // Without a terminal somebody meant this process alone, and through it the program.
    if (!process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  for (const signal of FROM_TERMINAL) process.on(signal, fromTerminal);
  return () => {
    for (const signal of FORWARDED) process.off(signal, forward);
    for (const signal of FROM_TERMINAL) process.off(signal, fromTerminal);
  };
}

function ended(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      const code = error.code === 'ENOENT' ? 'ENOENT' : 'EACCES';
      reject(new ProgramError(code, `Cannot run ${program}: ${error.code ?? error.message}`));
    });
    child.on('exit', (status, signal) => {
      resolve(status ?? SIGNAL_STATUS + constants.signals[signal ?? 'SIGKILL']);
    });
  });
}
