/** Runs scripts as root in a real Linux kernel: the `vm` beside this file, as a function. */

import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Describe, describeUnless } from '../../src/testing/tools.ts';

const vm = fileURLToPath(new URL('./vm', import.meta.url));

export interface KernelRun {
  /** Text of a bash script. It stops at the first failing command only if it says `set -e`. */
  script: string;
  /** Raw image files or NBD URIs: `/dev/vda`, `/dev/vdb` ... in order. Writes reach them. */
  disks?: readonly string[];
  /** A folder of ours that the guest sees, and may write, at `/share`. */
  shareDir?: string;
  /** The guest reaches servers on this machine's loopback at 10.0.2.2. */
  network?: boolean;
  /** Boot included, which takes about 8 s. */
  timeoutMs?: number;
}

export interface KernelResult {
  /** The script's exit status; 124 when time ran out or the kernel died, with the reason in `stderr`. */
  status: number;
  stdout: string;
  stderr: string;
}

const defaultTimeoutMs = 170_000;
const maxOutputBytes = 64 * 1024 * 1024;

let obstacle: string | null | undefined;

/** Why no kernel can be run here, or null when one can. */
export function kernelAvailable(): string | null {
  if (obstacle === undefined) {
    const check = spawnSync(vm, ['--check'], { encoding: 'utf8' });
    obstacle = check.status === 0 ? null : (check.error?.message ?? check.stderr.trim());
  }
  return obstacle;
}

/** `describe`, where a kernel can be run; elsewhere a skip that says why (in CI: a failure). */
export function requireKernel(): Describe {
  return describeUnless(kernelAvailable());
}

/** PID 1 before it is a program: the kernel dies like that under qemu's emulation now and then, before any script begins. */
const DIED_WHILE_BOOTING = 'Comm: swapper/0';

/** Boots a kernel, runs the script in it and gives its status and output. Rejects when no kernel can be run here. */
export async function runInKernel(run: KernelRun): Promise<KernelResult> {
  const result = await runOnce(run);
  const died = result.status === 124 && result.stderr.includes(DIED_WHILE_BOOTING);
  return died ? await runOnce(run) : result;
}

function runOnce(run: KernelRun): Promise<KernelResult> {
  const folder = mkdtempSync(join(tmpdir(), 'devmapper-kernel-script-'));
  const scriptPath = join(folder, 'script.sh');
  writeFileSync(scriptPath, run.script);
  const timeoutSeconds = Math.ceil((run.timeoutMs ?? defaultTimeoutMs) / 1000);
  const options = ['--timeout', String(timeoutSeconds)];
  for (const disk of run.disks ?? []) options.push('--disk', disk);
  if (run.shareDir !== undefined) options.push('--share', run.shareDir);
  if (run.network) options.push('--net');

  return new Promise((resolve, reject) => {
    execFile(
      vm,
      [...options, scriptPath],
      { encoding: 'utf8', maxBuffer: maxOutputBytes },
      (error, stdout, stderr) => {
        rmSync(folder, { recursive: true, force: true });
        if (error !== null && typeof error.code !== 'number') {
          return reject(new Error(`Cannot run ${vm}: ${error.message}`, { cause: error }));
        }
        const status = typeof error?.code === 'number' ? error.code : 0;
        if (status === 2 && stderr.includes('kernel vm: ')) return reject(new Error(stderr.trim()));
        resolve({ status, stdout, stderr });
      },
    );
  });
}
