/** Devices under load through the mount: fio's checks, tables swapped below it, and a device that does not answer. */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { FuseFixture, fuseObstacle } from './fuse-fixture.ts';
import { mainLinear } from './plane-fixture.ts';
import { run, succeed } from './serve-process.ts';

const MIB = 1024 * 1024;
const missing = missingTools(['fio', 'python3']);
const obstacle = fuseObstacle() ?? (missing.length > 0 ? `needs ${missing.join(', ')}` : null);

/** Writes and reads back, checking each block. */
function verify(path: string, ...options: string[]): Promise<string> {
  return succeed(
    'fio',
    ...['--name=verify', `--filename=${path}`, '--rw=randwrite', '--size=16M', '--verify=crc32c'],
    ...['--verify_fatal=1', '--verify_state_save=0', '--output-format=terse', ...options],
  );
}

describeUnless(obstacle)('under load', () => {
  test('fio finds what it wrote, on threads and on the main thread', async () => {
    await using fixture = await FuseFixture.start({ targets: [mainLinear] });
    const path = await fixture.create('disk', 16 * MIB);
    await verify(path, '--bs=4k', '--ioengine=libaio', '--iodepth=16', '--direct=1');
    await verify(path, '--bs=512-64k', '--ioengine=psync', '--direct=0');
    const { reads, writes, inFlight } = fixture.mapper.statistics('disk');
    expect(reads).toBeGreaterThan(4096);
    expect(writes).toBeGreaterThan(4096);
    expect(inFlight).toBe(0);
    const image = fixture.image('slow.img', 16 * MIB);
    await fixture.mapper.create({ name: 'slow', table: `0 32768 main-linear ${image} 0` });
    await verify(
      fixture.path('slow'),
      '--bs=4k-1M',
      '--ioengine=libaio',
      '--iodepth=8',
      '--direct=1',
    );
    expect(fixture.reports).toEqual([]);
  });

  test('tables are swapped below fio: nothing is lost, and the new size is seen', async () => {
    await using fixture = await FuseFixture.start();
    const path = await fixture.create('disk', 16 * MIB);
    const images = [fixture.image('a.img', 32 * MIB), fixture.image('b.img', 32 * MIB)];
    const options = ['--bs=4k-64k', '--ioengine=libaio', '--iodepth=16', '--direct=1', '--loops=6'];
    const fio = verify(path, ...options);
    const load = { isRunning: true };
    const ended = fio.finally(() => {
      load.isRunning = false;
    });
    const disk = `${fixture.folder}/disk.img`;
    // The first half stays where it is, the second is another disk's each time: fio writes to the first alone.
    for (let count = 0; load.isRunning && count < 40; count += 1) {
      const rows = [`0 32768 linear ${disk} 0`, `32768 32768 linear ${images[count % 2]} 0`];
      await fixture.mapper.load('disk', rows.join('\n'));
      await fixture.mapper.suspend('disk');
      await fixture.mapper.resume('disk');
      expect((await stat(path)).size).toBe(32 * MIB);
      await sleep(systemClock, 25);
    }
    await ended;
    // An open descriptor sees a device that grows, too.
    const reader = fixture.python(
      path,
      'print(os.lseek(fd, 0, 2)); sys.stdout.flush()',
      'import time',
      'while os.lseek(fd, 0, 2) == 33554432: time.sleep(0.01)',
      'print(os.lseek(fd, 0, 2), len(os.pread(fd, 4096, 33554432)))',
    );
    while (fixture.mapper.info('disk').openCount === 0) await sleep(systemClock, 5);
    await sleep(systemClock, 50);
    await fixture.mapper.load('disk', '0 131072 zero');
    await fixture.mapper.resume('disk');
    expect((await reader).split('\n')).toEqual([String(32 * MIB), `${64 * MIB} 4096`]);
  });

  test('a suspended device holds up nobody else, and goes on where it was', async () => {
    await using fixture = await FuseFixture.start();
    const stuck = await fixture.create('stuck', 16 * MIB);
    const free = await fixture.create('free', 16 * MIB, 3);
    const load = ['--bs=4k', '--ioengine=libaio', '--iodepth=32', '--direct=1'];
    const fio = verify(stuck, ...load);
    while (fixture.mapper.statistics('stuck').writes < 100) await sleep(systemClock, 5);
    await fixture.mapper.suspend('stuck');
    const before = readFileSync(`${fixture.folder}/stuck.img`);
    await succeed('cmp', free, `${fixture.folder}/free.img`);
    await verify(free, ...load);
    // Suspended means that not a byte changes.
    expect(Buffer.compare(readFileSync(`${fixture.folder}/stuck.img`), before)).toBe(0);
    await fixture.mapper.resume('stuck');
    await fio;
  });

  test('who is killed while a suspended device lets it wait is gone when that runs again', async () => {
    await using fixture = await FuseFixture.start();
    const path = await fixture.create('disk', MIB, 1);
    await fixture.mapper.suspend('disk');
    const transfers = [
      [`if=${path}`, 'of=/dev/null', 'bs=4096', 'count=1'],
      ['if=/dev/zero', `of=${path}`, 'bs=1000', 'count=1', 'conv=notrunc'],
    ];
    const users = transfers.map((words) => spawn('dd', words, { stdio: 'ignore' }));
    const ended = users.map((user) => new Promise((resolve) => user.once('exit', resolve)));
    while (fixture.mapper.info('disk').openCount < 2) await sleep(systemClock, 5);
    await sleep(systemClock, 100);
    for (const user of users)
      for (const signal of ['SIGINT', 'SIGKILL'] as const) user.kill(signal);
    await sleep(systemClock, 100);
    // As on a block device, what was asked for is still under way; others are served.
    expect(fixture.mapper.info('disk').openCount).toBe(2);
    expect((await stat(path)).size).toBe(MIB);
    await fixture.mapper.resume('disk');
    await Promise.all(ended);
    await fixture.mount.settle();
    expect(fixture.mapper.info('disk').openCount).toBe(0);
    expect(fixture.reports).toEqual([]);
  });

  test('what is open cannot be removed; what was closed is counted by `settle`', async () => {
    await using fixture = await FuseFixture.start();
    const path = await fixture.create('disk', MIB, 1);
    const held = run('timeout', '1', 'sh', '-c', `exec 3<>${path}; sleep 5`);
    while (fixture.mapper.info('disk').openCount === 0) await sleep(systemClock, 5);
    await expect(fixture.mapper.remove('disk')).rejects.toMatchObject({ code: 'EBUSY' });
    fixture.mapper.rename('disk', 'renamed');
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await stat(fixture.path('renamed'))).size).toBe(MIB);
    await held;
    for (let count = 0; count < 30; count += 1) {
      await succeed('cmp', fixture.path('renamed'), `${fixture.folder}/disk.img`);
      await fixture.mount.settle();
      expect(fixture.mapper.info('renamed').openCount).toBe(0);
    }
    await fixture.mapper.remove('renamed');
    await expect(stat(fixture.path('renamed'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
