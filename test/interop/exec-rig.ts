/** Worlds of `devmapper exec`: a daemon of its own in a new folder, and shell scripts that run in it, as root or as nobody. */

import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findTool, toolEnvironment } from '../../src/testing/tools.ts';
import { asNobody, NOBODY } from './nobody.ts';
import type { RunResult } from './serve-process.ts';

const program = fileURLToPath(new URL('../../bin/devmapper', import.meta.url));

/** Why `exec` cannot be tested here; null: it can. */
export function execObstacle(): string | null {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  return findTool('cc') === null ? 'needs a C compiler' : null;
}

export interface ExecWorld extends AsyncDisposable {
  /** The daemon's, and a place for images. */
  folder: string;
  /** Runs `sh -e` with the script in the world. Never rejects. */
  script(text: string): Promise<RunResult>;
  /** Its standard output; fails with everything that was said unless the status is 0. */
  output(text: string): Promise<string>;
  devmapper(...words: string[]): Promise<RunResult>;
}

export interface WorldOptions {
  user?: 'root' | 'nobody';
  /** Options of `exec`. */
  words?: readonly string[];
  /** Of one script. */
  timeoutMs?: number;
}

export function openWorld(options: WorldOptions = {}): ExecWorld {
  const { user = 'root', words = [], timeoutMs = 60_000 } = options;
  const folder = mkdtempSync(join(tmpdir(), 'devmapper-exec-'));
  chmodSync(folder, 0o755);
  if (user === 'nobody') chownSync(folder, NOBODY, NOBODY);
  const identity = user === 'nobody' ? asNobody() : [];
  const devmapper = (...all: string[]) =>
    new Promise<RunResult>((resolve) => {
      const environment = {
        ...toolEnvironment(),
        DEVMAPPER_DIR: folder,
        DEVMAPPER_NO_BUILD: '1',
        HOME: folder,
        LVM_SUPPRESS_FD_WARNINGS: '1',
      };
      const execution = { env: environment, cwd: folder, timeout: timeoutMs };
      const [file = '', ...rest] = [...identity, process.execPath, program, ...all];
      execFile(file, rest, execution, (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
        resolve({ status, stdout, stderr });
      });
    });
  const script = (text: string) => devmapper('exec', ...words, '--', 'sh', '-e', '-c', text);
  return {
    folder,
    devmapper,
    script,
    async output(text) {
      const { status, stdout, stderr } = await script(text);
      if (status === 0) return stdout;
      throw new Error(`script ended with ${status}\n${text}\n${stdout}\n${stderr}`);
    },
    async [Symbol.asyncDispose]() {
      await script('dmsetup remove_all --force >/dev/null 2>&1 || true');
      await devmapper('daemon', 'stop', '--force');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
