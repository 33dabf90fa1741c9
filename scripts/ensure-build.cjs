/**
 * Compiles `src/` to `dist/` where that is missing or older. CommonJS, because bin/devmapper must be (see there), and quick
 * when there is nothing to do: a look at the times of the sources, about 5 ms.
 */

const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const stamp = path.join(root, 'dist', '.tsbuildinfo');
const lock = path.join(root, '.cache', 'build.lock');
const sources = ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
/** For a lock without an owner: its writer died between two system calls. */
const lockLimitMs = 120_000;
const pollMs = 100;

/** A folder's own time tells of files that came or went; only sources are looked at one by one. */
function isNewer(file, thanMs) {
  const stats = fs.statSync(file);
  if (stats.mtimeMs > thanMs) return true;
  if (!stats.isDirectory()) return false;
  return fs.readdirSync(file, { withFileTypes: true }).some((entry) => {
    const counts = entry.isDirectory() || !entry.name.endsWith('.test.ts');
    return counts && isNewer(path.join(file, entry.name), thanMs);
  });
}

function isStale() {
  const stats = fs.statSync(stamp, { throwIfNoEntry: false });
  return !stats || sources.some((name) => isNewer(path.join(root, name), stats.mtimeMs));
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** The lock holds the id of the process that builds, so that one that was killed locks nobody out. */
function takeLock() {
  fs.mkdirSync(path.dirname(lock), { recursive: true });
  for (;;) {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned()) fs.rmSync(lock, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pollMs);
  }
}

function isAbandoned() {
  try {
    const owner = Number(fs.readFileSync(lock, 'utf8'));
    return owner > 0 ? !isAlive(owner) : Date.now() - fs.statSync(lock).mtimeMs > lockLimitMs;
  } catch (error) {
    if (error.code === 'ENOENT') return false; // given back meanwhile
    throw error;
  }
}

function compile() {
  // Loaded only when there is something to do: every command comes by here.
  const { spawnSync } = require('node:child_process');
  const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  if (!fs.existsSync(compiler)) {
    throw new Error(`Cannot build devmapper: ${compiler} is missing; run "npm ci" in ${root}`);
  }
  const startedAt = new Date();
  const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // The compiler writes JavaScript in spite of errors in types, and leaves the stamp alone when nothing is to be written.
  if (fs.existsSync(stamp)) fs.utimesSync(stamp, startedAt, startedAt);
  if (status !== 0) {
    process.stderr.write(
      `${stdout}devmapper: the sources have the errors above; going on without\n`,
    );
  }
}

/** Says on standard error that it builds, if it does; others that want the same wait. */
function ensureBuild() {
  if (!isStale()) return;
  takeLock();
  try {
    if (!isStale()) return;
    process.stderr.write('devmapper: building ...\n');
    compile();
  } finally {
    fs.rmSync(lock, { force: true });
  }
}

module.exports = { ensureBuild };

if (require.main === module) ensureBuild();
