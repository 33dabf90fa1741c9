/** The real programs the benchmark drives, run to their end; and what to type when one is missing. */

import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const PACKAGES: Readonly<Record<string, string>> = {
  fio: 'fio',
  nbdcopy: 'libnbd-bin',
  nbdfuse: 'libnbd-bin',
  nbdkit: 'nbdkit',
  'qemu-nbd': 'qemu-utils',
  fusermount3: 'fuse3',
  cmp: 'diffutils',
  cryptsetup: 'cryptsetup-bin',
};

/** Throws with the command that installs what is missing (Debian's package names). */
export function requirePrograms(names: readonly string[]): void {
  const missing = names.filter((name) => spawnSync(name, ['--version']).error !== undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((name) => PACKAGES[name] ?? name))];
  throw new Error(
    `Cannot run the benchmark: ${missing.join(', ')} not found\n  apt-get install ${packages.join(' ')}`,
  );
}

/** Builds what is served if a source is newer: now, and not while something is measured. */
export function ensureBuild(): void {
  const require = createRequire(import.meta.url);
  (require('../scripts/ensure-build.cjs') as { ensureBuild(): void }).ensureBuild();
  process.env['DEVMAPPER_NO_BUILD'] = '1';
}

export interface Output {
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end; rejects with what it printed unless it exits 0. One that is interrupted, when `until` resolves,
 * may end as it likes.
 */
export function run(
  program: string,
  args: readonly string[],
  until?: Promise<unknown>,
): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let interrupted = false;
    void until?.then(() => {
      interrupted = true;
      child.kill('SIGINT');
    });
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (status === 0 || interrupted) resolve({ stdout, stderr });
      else reject(new Error(`${program} ${args.join(' ')}: ${signal ?? status}\n${stderr}`));
    });
  });
}

/** For people who wait; results go to standard output. */
export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
