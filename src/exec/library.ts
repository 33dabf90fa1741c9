/**
 * The preload library (preload.c), compiled on first use. One file per source and compiler, named after their hash, so that
 * an update brings a new one and programs that still run keep theirs.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DmError } from '../base/errors.ts';
import { findProgram } from './find-program.ts';

/** The same from `src/exec` and from `dist/exec`. */
const SOURCE = fileURLToPath(new URL('../../src/exec/preload.c', import.meta.url));
const FLAGS = [
  '-shared',
  '-fPIC',
  '-O2',
  '-Wall',
  '-Wextra',
  '-U_FORTIFY_SOURCE',
  // libc's declarations promise that paths are not NULL; programs pass it all the same, for EFAULT.
  '-fno-delete-null-pointer-checks',
];
const COMPILERS = ['cc', 'gcc', 'clang'];

/** The path of the library, built if need be. Throws DmError with what is missing. */
export function preloadLibrary(stateFolder: string, environment = process.env): string {
  if (process.platform !== 'linux') {
    throw new DmError(
      'ENOSYS',
      `Cannot run programs on mapped devices: only Linux can, this is ${process.platform}`,
    );
  }
  const source = readFileSync(SOURCE);
  const hash = createHash('sha256').update(source).update(FLAGS.join(' ')).digest('hex');
  const name = `devmapper-preload-${hash.slice(0, 16)}-${process.arch}.so`;
  // /run may be mounted noexec, and then nothing in it can be loaded.
  const folders = [stateFolder, cacheFolder(environment)];
  const ready = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (ready !== undefined) return ready;
  const compiler = findCompiler(environment);
  for (const folder of folders) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, name);
    const building = join(folder, `.${process.pid}-${name}`);
    try {
      compile(compiler, building);
      if (!isLoadable(building)) continue;
      renameSync(building, path);
      return path;
    } finally {
      rmSync(building, { force: true });
    }
  }
  throw new DmError(
    'EACCES',
    `Cannot load the preload library from ${folders.join(' or ')}: mounted noexec; set XDG_CACHE_HOME to a folder that is not`,
  );
}

function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const home = environment['HOME'] || homedir();
  return join(environment['XDG_CACHE_HOME'] || join(home, '.cache'), 'devmapper');
}

function findCompiler(environment: NodeJS.ProcessEnv): string {
  const wanted = environment['CC'] ? [environment['CC']] : COMPILERS;
  const path = environment['PATH'] ?? '';
  const found = wanted.map((name) => findProgram(name, path)).find((program) => program !== null);
  if (found) return found;
  throw new DmError(
    'ENOENT',
    `Cannot build the preload library: no C compiler (looked for ${wanted.join(', ')}); install one, e.g. apt-get install gcc libc6-dev`,
  );
}

function compile(compiler: string, output: string): void {
  const words = [...FLAGS, '-o', output, SOURCE, '-ldl'];
  const { status, stderr, error } = spawnSync(compiler, words, { encoding: 'utf8' });
  if (status === 0) return;
  const reason = error?.message ?? stderr.trim();
  throw new DmError('ENOENT', `Cannot build the preload library: ${compiler} said: ${reason}`);
}

/** The dynamic linker says so on standard error, and goes on without it. */
function isLoadable(path: string): boolean {
  const environment = { PATH: process.env['PATH'], LD_PRELOAD: path };
  const { status, stderr } = spawnSync('true', { encoding: 'utf8', env: environment });
  return status === 0 && stderr === '';
}
