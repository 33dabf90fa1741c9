/** Daemons for tests: each in a folder of its own, and none left behind. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { DmClient } from '../../src/control/client/dm-client.ts';
import { connectClient } from '../../src/control/client/index.ts';
import { toolEnvironment } from '../../src/testing/tools.ts';
import type { RunResult } from './serve-process.ts';

const builder = createRequire(import.meta.url)('../../scripts/ensure-build.cjs') as {
  ensureBuild(): void;
};
builder.ensureBuild();

export const program = fileURLToPath(new URL('../../bin/devmapper', import.meta.url));

/** `await using world = new DaemonWorld()`: a state folder, images beside it, and an end to every daemon in it. */
export class DaemonWorld implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'devmapper-daemon-'));
  readonly folder = join(this.root, 'state');
  readonly #children: ChildProcess[] = [];

  environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return { ...toolEnvironment(), DEVMAPPER_NO_BUILD: '1', DEVMAPPER_DIR: this.folder, ...more };
  }

  /** A file of zeroes, or of `bytes`. */
  image(name: string, lengthBytes = 1 << 20): string {
    const path = join(this.root, name);
    writeFileSync(path, new Uint8Array(lengthBytes));
    return path;
  }

  /** Runs `devmapper` to its end. Never rejects: the status tells. */
  run(...words: string[]): Promise<RunResult> {
    const options = { env: this.environment(), cwd: this.root, timeout: 60_000 };
    return new Promise((resolve) => {
      execFile(process.execPath, [program, ...words], options, (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
        resolve({ status, stdout, stderr });
      });
    });
  }

  /** A program that is gone with this world; `fd` becomes its descriptor 3. */
  spawn(command: string, words: readonly string[], fd?: number): ChildProcess {
    const child = spawn(command, words, {
      env: this.environment(),
      cwd: this.root,
      stdio: ['ignore', 'pipe', 'pipe', ...(fd === undefined ? [] : [fd])],
    });
    this.#children.push(child);
    return child;
  }

  /** `devmapper daemon` as a child, once it says that it is ready. */
  async foreground(...words: string[]): Promise<ChildProcess> {
    const child = this.spawn(process.execPath, [program, 'daemon', ...words]);
    let said = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const ended = once(child, 'exit').then(() => {
      throw new Error(`the daemon ended at once: ${said}`);
    });
    const ready = once(child.stdout!, 'data');
    await Promise.race([ready, ended]);
    ended.catch(() => undefined);
    return child;
  }

  client(): Promise<DmClient> {
    return connectClient({ transport: 'socket', folder: this.folder, directory: this.root });
  }

  /** The process that holds the lock; null: none does. */
  pid(): number | null {
    const text = readFileSync(join(this.folder, 'lock'), 'utf8');
    return text === '' ? null : Number(text);
  }

  log(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run('daemon', 'stop', '--force');
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    }
    rmSync(this.root, { recursive: true, force: true });
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that its parent has not yet buried is dead all the same.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(systemClock, 10);
}

/** A live device over the client. */
export async function createDevice(client: DmClient, name: string, params: string, length = 2048) {
  const device = { name };
  await client.create(device);
  await client.load(device, [{ start: 0, length, type: 'linear', params }]);
  await client.resume(device);
  return device;
}
