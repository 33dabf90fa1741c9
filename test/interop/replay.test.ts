/** `devmapper replay`, over logs of our own and of qemu's blklogwrites. */

import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DeviceMapper } from '../../src/mapper/device-mapper.ts';
import { requireTools } from '../../src/testing/tools.ts';
import { run, succeed, temporaryFolder } from './serve-process.ts';

const DISK_BYTES = 2 ** 20;

/** A folder with disk.img, which was written through log-writes, log.img, and an empty again.img. */
async function logged() {
  const folder = temporaryFolder();
  const [disk, log, again] = ['disk.img', 'log.img', 'again.img'].map((name) =>
    join(folder.path, name),
  ) as [string, string, string];
  for (const path of [disk, again]) writeFileSync(path, new Uint8Array(DISK_BYTES));
  writeFileSync(log, new Uint8Array(4 * DISK_BYTES));
  await using mapper = new DeviceMapper();
  await mapper.create({ name: 'd', table: `0 ${DISK_BYTES / 512} log-writes ${disk} ${log}` });
  const volume = mapper.open('d');
  const write = (offsetBytes: number, fill: number, fua = false) =>
    volume.write({ offsetBytes, data: new Uint8Array(8192).fill(fill), fua });
  await write(0, 1);
  await write(65536, 2);
  await volume.flush();
  await mapper.message('d', ['mark', 'one']);
  await volume.discard({ offsetBytes: 65536, lengthBytes: 4096 });
  await write(4096, 3, true);
  await volume.writeZeroes({ offsetBytes: 0, lengthBytes: 512 });
  await write(DISK_BYTES - 8192, 4);
  await volume.close();
  return { disk, log, again, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

const LINES = [
  'Log version=1, sectorsize=512, entries=10',
  '0@2: sector 0, size 8192, flags 0x0(NONE)',
  '1@19: sector 128, size 8192, flags 0x0(NONE)',
  '2@36: sector 0, size 0, flags 0x1(FLUSH)',
  '3@37: sector 0, size 0, flags 0x8(MARK), mark "one"',
  '4@38: sector 8, size 8192, flags 0x2(FUA)',
  '5@55: sector 128, size 4096, flags 0x4(DISCARD)',
  '6@56: sector 0, size 512, flags 0x0(NONE)',
  '7@58: sector 2032, size 8192, flags 0x0(NONE)',
  '8@75: sector 0, size 0, flags 0x1(FLUSH)',
  '9@76: sector 0, size 0, flags 0x8(MARK), mark "dm-log-writes-end"',
];

describe('a log of ours', () => {
  test('is listed, counted, searched', async () => {
    using files = await logged();
    const { log } = files;
    expect((await succeed('devmapper', 'replay', log)).trim().split('\n')).toEqual(LINES);
    expect(await succeed('devmapper', 'replay', '--log', log, '--num-entries')).toBe('10\n');
    expect(await succeed('devmapper', 'replay', log, '--find', '--next-fua')).toBe('4\n');
    expect(await succeed('devmapper', 'replay', log, '--find', '--end-mark', 'one')).toBe('3\n');
    const missing = await run(
      'devmapper',
      'replay',
      log,
      '--find',
      '--next-fua',
      '--start-entry=5',
    );
    expect(missing).toMatchObject({ status: 1, stderr: "devmapper: Couldn't find entry\n" });
  });

  test('gives the disk as it is, and as it was', async () => {
    using files = await logged();
    const { disk, log, again } = files;
    const said = await succeed('devmapper', 'replay', log, '--replay', again, '--end-mark', 'one');
    expect(said).toBe(`Replayed 4 entries, 16 KiB, onto ${again}\n`);
    const bytes = readFileSync(again);
    expect([bytes[0], bytes[4096], bytes[65536], bytes[DISK_BYTES - 1]]).toEqual([1, 1, 2, 0]);
    const words = ['--replay', again, '--start-mark', 'one', '-v'];
    const lines = await succeed('devmapper', 'replay', log, ...words);
    expect(lines).toMatch(/^replaying 4@38: sector 8, size 8192, flags 0x2\(FUA\)\n/);
    expect(readFileSync(again).equals(readFileSync(disk))).toBe(true);
  });

  test('is checked in between, with the image free for whoever checks', async () => {
    using files = await logged();
    const { log, again } = files;
    const check = `flock -n "$DEVMAPPER_REPLAY" true && echo "entry $DEVMAPPER_ENTRY" && test $DEVMAPPER_ENTRY != 6`;
    const words = ['replay', log, '--replay', again, '--fsck', check, '--check'];
    const result = await run('devmapper', ...words, '1');
    expect(result.status).toBe(3);
    expect(result.stdout).toBe([0, 1, 2, 3, 4, 5, 6].map((entry) => `entry ${entry}\n`).join(''));
    expect(result.stderr).toMatch(
      /^devmapper: Fsck errored out on entry 6: .* ended with status 1/,
    );
    expect(result.stderr).toMatch(/--limit 7 makes it so again/);
    const failing = 'echo checked; exit 4';
    const jsonWords = ['--replay', again, '--fsck', failing, '--check', '4', '--json', '-v'];
    const forPrograms = await run('devmapper', 'replay', log, ...jsonWords);
    expect(forPrograms.status).toBe(3);
    expect(JSON.parse(forPrograms.stdout)).toEqual({
      replayed: again,
      first: 0,
      end: 10,
      isBounded: false,
      entryCount: 4,
      writtenBytes: 16_384,
      discardedBytes: 0,
      skippedCount: 0,
      checkCount: 1,
      failedCheck: { entry: 3, reason: 'ended with status 4' },
    });
    expect(forPrograms.stderr).toMatch(
      /^replaying 0@2: .*\nchecked\ndevmapper: Fsck errored out on entry 3/s,
    );
    const missing = await run(
      'devmapper',
      'replay',
      log,
      '--replay',
      again,
      '--fsck',
      'no-fsck',
      '--check',
      '1',
    );
    expect(missing.status).toBe(1);
    expect(missing.stderr).toMatch(/Cannot run the check "no-fsck": it ended with status 127/);
    expect(await succeed('devmapper', ...words, 'flush')).toMatch(
      /^entry 2\nentry 8\n.*, 2 checks\n$/,
    );
    expect(await succeed('devmapper', ...words, 'fua')).toMatch(/^entry 4\n/);
    expect(await succeed('devmapper', ...words, 'mark')).toMatch(/^entry 3\nentry 9\n/);
  });

  test('is refused where it does not fit, unless forced', async () => {
    using files = await logged();
    const { log, again, disk } = files;
    const replay = ['replay', log, '--replay', again];
    truncateSync(again, DISK_BYTES / 2);
    const small = await run('devmapper', ...replay);
    expect(small).toMatchObject({ status: 1, stdout: '' });
    expect(small.stderr).toMatch(
      /too small: it has 524288 bytes, the log writes up to byte 1048576/,
    );
    expect(small.stderr).toMatch(/truncate -s 1048576/);
    await succeed('devmapper', ...replay, '--force');
    expect(readFileSync(again).equals(readFileSync(disk).subarray(0, DISK_BYTES / 2))).toBe(true);
    const missing = await run('devmapper', 'replay', log, '--replay', `${again}.no`);
    expect(missing.stderr).toMatch(
      /Cannot replay onto .*\n {2}a new image, of 1 MiB or more: truncate/,
    );
    const itself = await run('devmapper', 'replay', log, '--replay', log);
    expect(itself.stderr).toMatch(/Cannot replay ".*" onto itself/);
    const none = await run('devmapper', 'replay', disk);
    expect(none.stderr).toMatch(/is no write log: .*magic at byte 0: expected 0x7268737766736a00/);
  });

  test('that is cut short is refused, unless the range ends before, or forced', async () => {
    using files = await logged();
    const { log, again } = files;
    truncateSync(log, 58 * 512 + 100);
    const replay = ['replay', log, '--replay', again];
    const cut = await run('devmapper', ...replay);
    expect(cut).toMatchObject({ status: 1, stdout: '' });
    expect(cut.stderr).toMatch(
      /is cut short: 7 of 10 entries can be read\n {2}at byte 29184: Cannot read/,
    );
    expect(readFileSync(again).every((byte) => byte === 0)).toBe(true);
    expect(await succeed('devmapper', ...replay, '--end-mark', 'one')).toMatch(/^Replayed 4/);
    expect(await succeed('devmapper', ...replay, '--force')).toMatch(/^Replayed 7/);
    const listed = await run('devmapper', 'replay', log);
    expect(listed.status).toBe(1);
    expect(listed.stdout.trim().split('\n')).toHaveLength(8);
  });

  test('of a machine that died has more than it counts', async () => {
    using files = await logged();
    const { log } = files;
    const bytes = readFileSync(log);
    bytes[16] = 4;
    writeFileSync(log, bytes);
    expect(await succeed('devmapper', 'replay', log, '--num-entries')).toBe('4\n');
    expect(await succeed('devmapper', 'replay', log, '--num-entries', '--past-count')).toBe('10\n');
  });
});

requireTools('qemu-io', 'qemu-img')("qemu's log", () => {
  test.each([512, 4096])('with log sectors of %i gives the same disk', async (sectorBytes) => {
    using files = await logged();
    const { disk, log, again } = files;
    for (const path of [disk, log]) truncateSync(path, 0);
    truncateSync(disk, DISK_BYTES);
    const driver = 'driver=blklogwrites,file.driver=file,log.driver=file';
    const places = `file.filename=${disk},log.filename=${log},log-sector-size=${sectorBytes}`;
    const commands = [
      ...['write -P 1 0 64k', 'write -P 2 -f 64k 4k', 'flush', 'discard 4k 8k'],
      ...[
        'write -z 128k 64k',
        'write -P 5 512k 128k',
        'aio_write -P 6 600k 4k',
        'aio_flush',
        'flush',
      ],
    ];
    const words = commands.flatMap((command) => ['-c', command]);
    await succeed('qemu-io', ...words, '--image-opts', `${driver},${places}`);
    const { entries, ...head } = JSON.parse(
      await succeed('devmapper', 'replay', log, '--json'),
    ) as {
      sectorBytes: number;
      diskSectors: number;
      tear: null;
      entries: { kind: string; sector: number; sectorCount: number }[];
    };
    expect(head).toMatchObject({ sectorBytes, diskSectors: 1280, tear: null });
    const writes = entries.filter(({ kind }) => kind !== 'flush');
    expect(
      writes.map(({ kind, sector, sectorCount }) => `${kind} ${sector}+${sectorCount}`),
    ).toEqual([
      ...['write 0+128', 'write 128+8', 'discard 8+16', 'write 256+128', 'write 1024+256'],
      'write 1200+8',
    ]);
    await succeed('devmapper', 'replay', log, '--replay', again);
    await succeed('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', disk, again);
  });
});
