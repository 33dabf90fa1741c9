/**
 * Runs the check's command for one state after another, in one shell that stays: beginning a process from a small shell costs a tenth of what
 * it costs from here, and a check that is built into the shell costs no process but the subshell.
 *
 * The shell reads three lines for each state (whether there is a mark, the mark, the state's word), runs the command in a subshell with its output
 * in a file, and answers with its exit status.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { type Clock, systemClock } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';
import type { OfferedState, Verdict } from './search.ts';

const LOOP = `
while IFS= read -r has && IFS= read -r DEVMAPPER_MARK && IFS= read -r DEVMAPPER_STATE; do
  export DEVMAPPER_MARK DEVMAPPER_STATE
  [ "$has" = 1 ] || unset DEVMAPPER_MARK
  (eval "$1") </dev/null >"$2" 2>&1 3>&-
  echo $? >&3
done`;

/** What shells say of a command that is not there, or is no program. */
const NO_COMMAND: readonly number[] = [126, 127];
const OUTPUT_LIMIT_BYTES = 16_384;
/** Characters; marks have 479 bytes at most in a log. */
const WORD_LIMIT = 2000;

export interface ShellCheckOptions {
  command: string;
  /** Of the check: says where its disk is. */
  environment: NodeJS.ProcessEnv;
  /** Where its output goes. */
  outputPath: string;
  timeoutMs: number;
  /** Ends the check that is under way, and all that it began. */
  signal?: AbortSignal;
  clock?: Clock;
}

export class ShellCheck implements Disposable {
  readonly #options: ShellCheckOptions;
  #shell: ChildProcess | null = null;
  #isClosed = false;
  #answer: (status: number | Error) => void = () => {};
  #giveUp: (reason: 'late' | null) => void = () => {};

  constructor(options: ShellCheckOptions) {
    this.#options = options;
  }

  /** null: it was interrupted. Throws DmError when the command cannot be run at all. */
  async look({ mark, word }: Pick<OfferedState, 'mark' | 'word'>): Promise<Verdict | null> {
    const { command, timeoutMs } = this.#options;
    // No environment has room for any length, and a shell reads its lines byte by byte.
    const shownWord = word.length <= WORD_LIMIT ? word : '';
    const shownMark = oneLine(mark ?? '').slice(0, WORD_LIMIT);
    const status = await this.#ask(`${mark === null ? 0 : 1}\n${shownMark}\n${shownWord}\n`);
    if (status === null) return null;
    if (status === 'late') {
      const output = `${this.#output()}\nThe check did not end within ${timeoutMs / 1000} s`;
      return { isGood: false, output: output.trim() };
    }
    if (NO_COMMAND.includes(status)) {
      const reason = this.#output().trim() || `exit status ${status}`;
      throw new DmError('ENOENT', `Cannot run the check "${command}": ${reason}`);
    }
    return status === 0
      ? { isGood: true, output: '' }
      : { isGood: false, output: `${this.#output()}\n(exit status ${status})`.trim() };
  }

  /** Resolves with the exit status; `late` or, interrupted, null: it was ended with all that it began. */
  async #ask(lines: string): Promise<number | 'late' | null> {
    const { timeoutMs, signal, clock = systemClock } = this.#options;
    if (signal?.aborted || this.#isClosed) return null;
    this.#shell ??= this.#start();
    const input = this.#shell.stdin!;
    const timer = clock.after(timeoutMs, () => this.#giveUp('late'));
    const interrupt = () => this.#giveUp(null);
    signal?.addEventListener('abort', interrupt);
    try {
      return await new Promise((resolve, reject) => {
        this.#giveUp = (reason) => {
          this.#answer = () => {};
          this.#stop();
          resolve(reason);
        };
        this.#answer = (status) => (status instanceof Error ? reject(status) : resolve(status));
        input.write(lines);
      });
    } finally {
      timer.cancel();
      signal?.removeEventListener('abort', interrupt);
    }
  }

  #start(): ChildProcess {
    const { command, environment, outputPath } = this.#options;
    const shell = spawn('/bin/sh', ['-c', LOOP, 'check', command, outputPath], {
      stdio: ['pipe', 'ignore', 'inherit', 'pipe'],
      env: environment,
      // A group of its own, so that a check that hangs ends with what it began.
      detached: true,
    });
    const fail = (reason: string) => {
      this.#shell = null;
      this.#answer(new DmError('EIO', `Cannot run the check "${command}": ${reason}`));
    };
    shell.on('error', (error) => fail(error.message));
    shell.on('exit', (status, signal) => fail(`its shell ended with ${signal ?? status}`));
    (shell.stdin as Writable).on('error', () => {}); // Its end says more.
    shell.stdio[3]!.on('data', (chunk: Buffer) => this.#answer(Number(chunk.toString().trim())));
    return shell;
  }

  #stop(): void {
    const shell = this.#shell;
    this.#shell = null;
    if (shell?.pid === undefined) return;
    shell.removeAllListeners('exit');
    try {
      process.kill(-shell.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** The end of it. */
  #output(): string {
    const { outputPath } = this.#options;
    const fd = openSync(outputPath, 'r');
    try {
      const start = Math.max(0, statSync(outputPath).size - OUTPUT_LIMIT_BYTES);
      const buffer = Buffer.alloc(OUTPUT_LIMIT_BYTES);
      const count = readSync(fd, buffer, 0, OUTPUT_LIMIT_BYTES, start);
      return buffer.toString('utf8', 0, count).trimEnd();
    } finally {
      closeSync(fd);
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#answer = () => {};
    this.#stop();
    // Who waits for it must not do so until it is late.
    this.#giveUp(null);
  }
}

/** A mark of a foreign log may hold anything. */
function oneLine(text: string): string {
  return text.replaceAll(/[\n\0]/g, ' ');
}
