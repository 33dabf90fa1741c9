/** Runs the commands that pages on targets show, each page in a folder and a daemon of its own. */

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { describeUnless, missingTools, toolEnvironment } from '../../src/testing/tools.ts';
import { DaemonWorld, program } from './daemon-rig.ts';
import { execObstacle } from './exec-rig.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What the commands of each page print. */
const pages: readonly [page: string, lines: readonly string[]][] = [
  ['flakey', ['0 2048 flakey ./disk.img 0 2 2 1 drop_writes']],
  ['delay', ['0 2048 delay 0 0 0']],
  [
    'chaos',
    [
      '0 131072 chaos off 0 0 1 powercut:0/0',
      '{"power":"on","stalled":false,"waitingRequests":0,"unflushedWrites":0,"unflushedSectors":0,"powerCuts":0,"requests":{"read":0,"write":0,"flush":0,"discard":0,"write-zeroes":0},"rules":[{"number":1,"effect":"bitrot","rule":"bitrot:every=1000,from=65536","met":0,"fired":0},{"number":2,"effect":"bitrot","rule":"bitrot:op=write,p=0.0001","met":0,"fired":0}]}',
      '1: misdirected:p=0.001,shift=8 0/0',
      '2: lost:p=0.001 0/0',
      '3: stale:p=0.01 0/0',
      '4: torn:p=0.001 0/0',
    ],
  ],
  ['dust', ['60', '0 2048 dust ./disk.img fail_read_on_bad_block verbose']],
];

function commandsOf(page: string): string {
  const text = readFileSync(join(root, 'docs', `${page}.md`), 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, code]) => code!).join('');
}

/** The lines that the page's commands print. */
async function runPage(page: string): Promise<string[]> {
  await using world = new DaemonWorld();
  const folders = [dirname(program), dirname(process.execPath), toolEnvironment()['PATH']];
  const { stdout } = await promisify(execFile)('bash', ['-ec', commandsOf(page)], {
    cwd: world.root,
    env: world.environment({ PATH: folders.join(':') }),
    timeout: 60_000,
  });
  return stdout.replaceAll(world.root, '.').trim().split('\n');
}

describe('docs/targets', () => {
  test.each(pages)('the commands of %s.md do what they say', async (page, lines) => {
    expect(await runPage(`targets/${page}`)).toEqual(lines);
  });
});

const missing = missingTools(['mkfs.ext4', 'e2fsck']);
const obstacle = missing.length > 0 ? `needs ${missing.join(', ')}` : execObstacle();

describeUnless(obstacle)('pages on logs of writes', () => {
  test('log-writes.md makes the disk again as it was at the mark', async () => {
    const lines = await runPage('targets/log-writes');
    expect(lines[0]).toMatch(/^Log version=1, sectorsize=512, entries=\d+$/);
    expect(lines.at(-2)).toMatch(/mark "dm-log-writes-end"$/);
    expect(lines.at(-1)).toMatch(/^Replayed \d+ entries, .* onto again.img$/);
  });

  test('replay.md checks a file system at every flush', async () => {
    const lines = await runPage('replay');
    expect(lines.at(-1)).toMatch(/^Replayed \d+ entries, .* onto again.img, \d+ checks$/);
    const clean = lines.filter((line) => /^again.img: \d+\/\d+ files/.test(line));
    expect(lines.at(-1)).toContain(` ${clean.length} checks`);
  });
});
