/** `devmapper crashtest` end to end: a workload over NBD, SQLite through a file, and the state that it says to bring back. */

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import {
  describeUnless,
  missingTools,
  requireTools,
  toolEnvironment,
} from '../../src/testing/tools.ts';
import { fuseObstacle } from './fuse-fixture.ts';
import { run, temporaryFolder } from './serve-process.ts';

const example = fileURLToPath(new URL('../../contrib/crash-testing', import.meta.url));

interface Report {
  stateCount: number;
  failures: { state: string; smallest: string; survived: { sector: number }[]; again: string }[];
}

/** A write, and, if it is careful, a flush before the one that says that it is there. */
const writer = (between: string) =>
  `nbdsh -u "$DEVMAPPER_NBD" -c 'h.pwrite(b"d" * 4096, 4096)' ${between} -c 'h.pwrite(b"v" * 512, 0); h.flush()'`;
const check = `nbdsh -u "$DEVMAPPER_NBD" -c 'assert h.pread(512, 0)[:1] != b"v" or h.pread(4096, 4096) == b"d" * 4096'`;

requireTools('nbdsh')('crashtest over NBD', () => {
  test('finds the flush that was left out, reports it, and brings the state back', async () => {
    using folder = temporaryFolder();
    const [json, junit, log] = ['r.json', 'r.xml', 'r.log'].map((name) => join(folder.path, name));
    const words = ['--size', '64M', '--no-device', '-q', '-j', '2', '--check', check];
    const reports = ['--json', json!, '--junit', junit!, '--keep', log!];
    const found = await run(
      'devmapper',
      'crashtest',
      ...words,
      ...reports,
      '--workload',
      writer(''),
    );
    expect(found.stderr).toBe('');
    expect(found.stdout).toMatch(
      /It is enough that 1 unflushed write is there:\n {2}1: write of sector 0/,
    );
    expect(found.status).toBe(1);
    const report = JSON.parse(readFileSync(json!, 'utf8')) as Report;
    expect(report.failures).toMatchObject([{ state: '2:1', smallest: 'survived' }]);
    expect(readFileSync(junit!, 'utf8')).toContain('failures="1"');
    const again = await run('devmapper', 'crashtest', '--log', log!, ...words, '--state', '2:1');
    expect(again.stderr).toContain('AssertionError');
    expect(again.stderr).toContain('The check ended with status 1');
    expect(again.status).toBe(1);
    expect(report.failures[0]!.again).toContain(`--log ${log!} --size 67108864`);
    const raw = join(folder.path, 'state.raw');
    const save = await run(
      'devmapper',
      'crashtest',
      '--log',
      log!,
      '--state',
      '2:1',
      '--save',
      raw,
    );
    expect(save).toMatchObject({ status: 0, stderr: '' });
    const bytes = readFileSync(raw);
    expect(bytes.subarray(0, 512).equals(Buffer.alloc(512, 'v'))).toBe(true);
    expect(bytes.subarray(4096).every((byte) => byte === 0)).toBe(true);
  });

  test('finds nothing wrong with a careful writer, also from its log', async () => {
    using folder = temporaryFolder();
    const log = join(folder.path, 'good.log');
    const workload = writer(`-c 'h.flush()'`);
    const words = ['--no-device', '-q', '--check', check, '--budget', '12'];
    const source = ['--size', '1M', '--workload', workload, '--keep', log];
    const good = await run('devmapper', 'crashtest', ...words, ...source);
    expect(good).toMatchObject({ status: 0, stderr: '' });
    expect(good.stdout).toMatch(/^no bad state in \d+ states of a disk of 1 MiB/);
    const replayed = await run('devmapper', 'crashtest', ...words, '--log', log, '--size', '1M');
    expect(replayed).toMatchObject({ status: 0, stderr: '' });
  });

  test('ends with 2 where nothing could be tested', async () => {
    const words = ['crashtest', '--size', '1M', '--no-device', '-q'];
    const failing = await run('devmapper', ...words, '--workload', 'exit 3', '--check', 'true');
    expect(failing.stderr).toMatch(/the workload failed: it ended with status 3/);
    expect(failing.status).toBe(2);
    const idle = await run('devmapper', ...words, '--workload', 'true', '--check', 'true');
    expect(idle.stderr).toMatch(/nothing was written to the disk/);
    expect(idle.status).toBe(2);
    const workload = writer('');
    const missing = await run('devmapper', ...words, '--workload', workload, '--check', 'nonesuch');
    expect(missing.stderr).toMatch(/Cannot run the check "nonesuch"/);
    expect(missing.status).toBe(2);
    const usage = await run('devmapper', ...words, '--check', 'true');
    expect(usage).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/expected --workload/),
    });
  });
});

function exampleObstacle(): string | null {
  const missing = missingTools(['sqlite3', 'cc']);
  if (missing.length > 0) return `needs ${missing.join(', ')}`;
  if (!existsSync('/usr/include/sqlite3ext.h')) return "needs SQLite's headers (libsqlite3-dev)";
  return null;
}

describeUnless(exampleObstacle())('the example of the guide: SQLite', () => {
  /** One mode over NBD, the other, where that can be, through a file. */
  function prepared(folder: string, mode: string): string[] {
    const names = ['sqlite-workload.sh', 'sqlite-check.sh', 'disk-vfs.c'];
    for (const name of names) copyFileSync(join(example, name), join(folder, name));
    const [output, source] = ['disk-vfs.so', 'disk-vfs.c'].map((name) => join(folder, name));
    const words = [
      '-shared',
      '-fPIC',
      '-O2',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-o',
      output!,
      source!,
    ];
    const { status, stderr } = spawnSync('cc', words, { env: toolEnvironment(), encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    const disk = mode === 'wal' && fuseObstacle() === null ? [] : ['--no-device'];
    const check = join(folder, 'sqlite-check.sh');
    return ['crashtest', '-q', '--size', '8M', ...disk, '--check', check];
  }

  test.each(['delete', 'wal'])('loses nothing, journal mode %s', async (mode) => {
    using folder = temporaryFolder();
    const words = prepared(folder.path, mode);
    const workload = `ROUNDS=3 ${join(folder.path, 'sqlite-workload.sh')} ${mode}`;
    const result = await run('devmapper', ...words, '--workload', workload, '--budget', '40');
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(result.stdout).toMatch(/^no bad state in \d+ states/);
  });

  test.each(['delete', 'wal'])('is found without fsync, journal mode %s', async (mode) => {
    using folder = temporaryFolder();
    const words = prepared(folder.path, mode);
    const script = join(folder.path, 'sqlite-workload.sh');
    const workload = `DISK_VFS_NO_SYNC=1 ROUNDS=3 ${script} ${mode}`;
    const log = join(folder.path, 'log');
    const result = await run('devmapper', ...words, '--workload', workload, '--keep', log);
    expect(result.stdout).toMatch(/BAD: .*after the mark "\d+"/);
    expect(result.stdout).toMatch(/round \d was committed, the disk has -?\d|damaged|half a/);
    expect(result.status).toBe(1);
  });
});
