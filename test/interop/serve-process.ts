/** Starts `bin/devmapper serve` and speaks with it as a script would: `--json` out, signals in. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { toolEnvironment } from '../../src/testing/tools.ts';

const builder = createRequire(import.meta.url)('../../scripts/ensure-build.cjs') as {
  ensureBuild(): void;
};
// Once, so that a source that changes meanwhile does not set every process of the tests to build.
builder.ensureBuild();

const program = fileURLToPath(new URL('../../bin/devmapper', import.meta.url));

export interface RunResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface DescribedDevice {
  name: string;
  sizeBytes: number;
  readOnly: boolean;
  table: string[];
  uris: string[];
}

function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { ...toolEnvironment(), DEVMAPPER_NO_BUILD: '1', ...more };
}

/** A folder that is gone after the test: `using folder = temporaryFolder()` */
export function temporaryFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'devmapper-serve-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Runs a real program or `devmapper` to its end. Never rejects: the status tells. */
export function run(command: string, ...words: string[]): Promise<RunResult> {
  const file = command === 'devmapper' ? process.execPath : command;
  const all = command === 'devmapper' ? [program, ...words] : words;
  return new Promise((resolve) => {
    const options = { env: environment(), maxBuffer: 1 << 26, timeout: 120_000 };
    execFile(file, all, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ status, stdout, stderr });
    });
  });
}

/** Like `run`, and fails with everything the program said unless it ended well. */
export async function succeed(command: string, ...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(command, ...words);
  if (status === 0) return stdout;
  throw new Error(`${command} ${words.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
}

/** A program that runs until it is killed. */
export function startProgram(command: string, ...words: string[]) {
  const child = spawn(command, words, { env: toolEnvironment(), stdio: 'ignore' });
  return {
    kill: () => child.kill('SIGKILL'),
    async until(condition: () => boolean | Promise<boolean>): Promise<void> {
      while (!(await condition())) {
        if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}`);
        await sleep(systemClock, 10);
      }
    },
  };
}

export class ServeProcess implements AsyncDisposable {
  readonly devices: DescribedDevice[];
  readonly socketPath: string | null;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #stderr = '';

  private constructor(child: ChildProcess, line: string) {
    this.#child = child;
    const described = JSON.parse(line) as { devices: DescribedDevice[]; socket: string | null };
    this.devices = described.devices;
    this.socketPath = described.socket;
    this.#ended = once(child, 'exit').then(([status]) => status as number | null);
  }

  /** Resolves once it serves. `folder` is its `$DEVMAPPER_DIR`. */
  static async start(folder: string, ...words: string[]): Promise<ServeProcess> {
    const child = spawn(process.execPath, [program, 'serve', '--json', ...words], {
      env: environment({ DEVMAPPER_DIR: folder }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    let serving: ServeProcess | null = null;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      if (serving) serving.#stderr += text;
    });
    const line = await new Promise<string>((resolve, reject) => {
      let stdout = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
        if (stdout.includes('\n')) resolve(stdout);
      });
      child.once('exit', (status) => reject(new Error(`serve ended with ${status}: ${stderr}`)));
    });
    serving = new ServeProcess(child, line);
    serving.#stderr = stderr;
    return serving;
  }

  /** Everything it said to people so far. */
  get stderr(): string {
    return this.#stderr;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  uri(name = 'disk'): string {
    return this.devices.find((device) => device.name === name)!.uris[0]!;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The exit status; null when a signal ended it. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Closes this end of the pipes. */
  stopReading(): void {
    this.#child.stdout!.destroy();
    this.#child.stderr!.destroy();
  }

  /** Resolves when `text` has appeared on standard error. */
  async said(text: string): Promise<void> {
    while (!this.#stderr.includes(text)) {
      const gone = this.#ended.then((status) => {
        throw new Error(`serve ended with ${status} before it said "${text}": ${this.#stderr}`);
      });
      await Promise.race([once(this.#child.stderr!, 'data'), gone]);
    }
  }

  async stop(): Promise<number | null> {
    this.signal('SIGTERM');
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.signal('SIGKILL');
      await this.#ended;
    }
  }
}
