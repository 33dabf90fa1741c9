/**
 * `npm run soak -- [--minutes 10] [--seed N] [--clients 8] [--shells 2]`: random commands from clients that are killed, on a daemon
 * of its own; then whether anything was left behind. test/interop/control-soak.test.ts is the short form of it.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { randomSeed } from '../src/base/prng.ts';
import { describe, runSoak } from '../test/interop/soak/soak.ts';

const MINUTE_MS = 60_000;
const program = fileURLToPath(new URL('../bin/devmapper', import.meta.url));

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    clients: { type: 'string', default: '8' },
    shells: { type: 'string', default: '2' },
  },
});
const seed = values.seed === undefined ? randomSeed() : Number(values.seed);
const folder = mkdtempSync(join(tmpdir(), 'devmapper-soak-'));
const devmapper = (...words: string[]) =>
  execFileSync(process.execPath, [program, ...words], {
    env: { ...process.env, DEVMAPPER_DIR: folder },
    encoding: 'utf8',
  });

console.log(`--seed ${seed}, daemon in ${folder}`);
devmapper('exec', 'true');
try {
  const result = await runSoak({
    seed,
    durationMs: Number(values.minutes) * MINUTE_MS,
    clientCount: Number(values.clients),
    shellCount: Number(values.shells),
    folder,
    onProgress: (line) => console.log(line),
  });
  console.log(`--seed ${seed}: ${describe(result)}`);
  console.log(
    `memory in MiB: ${result.memoryMib.filter((_, index) => index % 10 === 0).join(' ')}`,
  );
  console.log(`descriptors: ${result.descriptorCounts.join(' before, ')} after`);
  for (const failure of result.failures) console.error(`FAILED: ${failure}`);
  process.exitCode = result.failures.length === 0 ? 0 : 1;
} finally {
  devmapper('daemon', 'stop', '--force');
  rmSync(folder, { recursive: true, force: true });
}
