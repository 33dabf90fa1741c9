/**
 * `npm start`: sets up what is missing, makes two disk images, and serves them as one disk over NBD.
 * `npm start -- ARGUMENTS` gives the arguments to `devmapper serve` instead.
 */

import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const examples = join(root, '.examples');
const imageBytes = 64 * 1024 * 1024;

/** Real files with something to see in them: text at the start, and a mark where the next image begins. */
const images = [
  {
    name: 'disk-a.img',
    text: 'This is disk-a.img, the first 64 MiB of the joined volume.\n',
    lastWords: 'Here disk-a.img ends; disk-b.img begins at the next sector.\n',
  },
  { name: 'disk-b.img', text: 'This is disk-b.img, the second half of the joined volume.\n' },
];

function setUp() {
  if (existsSync(join(root, 'node_modules', 'commander'))) return;
  console.log('Installing what devmapper needs (once) ...');
  const options = { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' };
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], options);
  if (status !== 0) process.exit(status ?? 1);
}

function makeImage({ name, text, lastWords }) {
  const path = join(examples, name);
  if (existsSync(path)) return path;
  const unfinished = `${path}.part`;
  const fd = openSync(unfinished, 'w');
  ftruncateSync(fd, imageBytes);
  writeSync(fd, text, 0);
  if (lastWords) writeSync(fd, lastWords, imageBytes - 512);
  closeSync(fd);
  renameSync(unfinished, path);
  return path;
}

function exampleArguments() {
  mkdirSync(examples, { recursive: true });
  const paths = images.map(makeImage);
  console.log(`Two disk images of 64 MiB, joined to one disk: ${paths.join(', ')}\n`);
  return paths;
}

setUp();
const own = process.argv.slice(2);
const serveArguments = own.length > 0 ? own : exampleArguments();
const program = join(root, 'bin', 'devmapper');
const child = spawn(process.execPath, [program, 'serve', ...serveArguments], {
  cwd: process.env.INIT_CWD ?? process.cwd(),
  stdio: 'inherit',
});
// A terminal's Ctrl-C reaches the server by itself; every other signal has to be passed on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
}
// npm passes SIGTERM to its shell, which dies of it without a word to us.
const shell = process.ppid;
const watch = setInterval(() => {
  if (process.ppid === shell) return;
  clearInterval(watch);
  child.kill('SIGTERM');
}, 500).unref();
child.on('exit', (status, signal) => {
  process.exitCode = signal ? 1 : (status ?? 1);
});
