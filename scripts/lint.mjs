/**
 * `npm run lint`: every checker, all at once, and all of their complaints. Each watches something that no other does.
 */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const checkers = [
  { name: 'biome', command: 'biome check .', watches: 'format, imports, general rules' },
  { name: 'eslint', command: 'eslint .', watches: 'rules that need types' },
  {
    name: 'depcruise',
    command: 'depcruise --output-type err-long src test bench scripts docs',
    watches: 'order of the layers, circles',
  },
  { name: 'knip', command: 'knip', watches: 'unused files, exports and packages' },
  { name: 'tidy', command: 'tsx scripts/tidy.ts', watches: 'house rules' },
];

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const binaries = fileURLToPath(new URL('../node_modules/.bin', import.meta.url));
const env = { ...process.env, PATH: `${binaries}:${process.env.PATH}` };

/** Runs one checker to its end and prints what it said in one piece if it complains. */
function check({ name, command, watches }) {
  const startedMs = performance.now();
  const [program, ...programArguments] = command.split(' ');
  return new Promise((resolve) => {
    const child = spawn(program, programArguments, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (text) => {
      output += text;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.on('error', (error) => collect(`Cannot run ${program}: ${error.message}\n`));
    child.on('close', (status) => {
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
      console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${watches}), ${seconds} s`);
      if (status !== 0) console.log(output);
      resolve(status === 0);
    });
  });
}

const results = await Promise.all(checkers.map(check));
if (results.includes(false)) process.exitCode = 1;
