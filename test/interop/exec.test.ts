/** Unmodified programs on our devices, as root: nodes in /dev/mapper, file systems, ioctls, exit statuses. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { type ExecWorld, execObstacle, openWorld } from './exec-rig.ts';
import './serve-process.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const tools = ['dmsetup', 'mkfs.ext4', 'fsck.ext4', 'blkid', 'lsblk', 'fio', 'findmnt'];
const missing = missingTools(tools);
const obstacle = missing.length > 0 ? `needs ${missing.join(', ')}` : execObstacle();

/** Names no other test has: nodes in /dev/mapper are everybody's. */
const NAME = `devmapper-test-${process.pid}`;

/** What differs from the kernel on purpose, and why. */
const DIFFERENT: Readonly<Record<string, string>> = {
  // The kernel reads the pointer before it refuses.
  'BLKPG -1 Bad address': 'BLKPG -1 Invalid argument',
  // There the loop device below answered, here the mapped device.
  'TCGETS -1 Invalid argument': 'TCGETS -1 Inappropriate ioctl for device',
  'SG_GET_VERSION_NUM -1 Invalid argument': 'SG_GET_VERSION_NUM -1 Inappropriate ioctl for device',
  'CDROM -1 Invalid argument': 'CDROM -1 Inappropriate ioctl for device',
  'unknown 0x12fe -1 Invalid argument': 'unknown 0x12fe -1 Inappropriate ioctl for device',
  // Only a table makes a device read-only.
  'BLKROSET 1 0 Success': 'BLKROSET 1 -1 Operation not supported',
};

describeUnless(obstacle)('devmapper exec', { timeout: 60_000 }, () => {
  /** Nodes in /dev/mapper are everybody's, and some programs take away those they do not know: few tests use them. */
  let nodes: ExecWorld;
  let world: ExecWorld;

  beforeAll(() => {
    nodes = openWorld();
    world = openWorld({ words: ['--private'] });
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await nodes[Symbol.asyncDispose]();
  });

  const disk = (sectors = 131072) =>
    `truncate -s 64M disk.img; dmsetup create ${NAME} --table "0 ${sectors} linear $PWD/disk.img 0"`;

  test('real dmsetup creates, shows, renames and removes', async () => {
    const text = await nodes.output(`
      dmsetup version | tail -1
      dmsetup create ${NAME} --table '0 1000 zero'
      dmsetup table ${NAME}; dmsetup ls; dmsetup info -c --noheadings -o name,open,segments,attr ${NAME}
      ls -l /dev/mapper/${NAME} | cut -c1-10
      dmsetup rename ${NAME} ${NAME}-b; dmsetup status
      test ! -e /dev/mapper/${NAME}
      dmsetup suspend ${NAME}-b; cat /sys/block/dm-0/dm/suspended /sys/block/dm-0/dm/name; dmsetup resume ${NAME}-b
      dmsetup remove ${NAME}-b; dmsetup ls; test ! -e /sys/block/dm-0`);
    expect(text.split('\n')).toEqual([
      'Driver version:    4.50.0',
      '0 1000 zero ',
      expect.stringMatching(`^${NAME}\\s+\\(252:0\\)$`),
      `${NAME}:0:1:L--w`,
      'brw-rw----',
      `${NAME}-b: 0 1000 zero `,
      '1',
      `${NAME}-b`,
      'No devices found',
      '',
    ]);
  });

  test('a refused table says why, as our own commands do', async () => {
    const { status, stderr } = await world.script(
      `dmsetup create ${NAME} --table '0 1000 linear $PWD/disk.img'`,
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/^devmapper: .*linear/m);
    expect(stderr).toMatch(/device-mapper: reload ioctl on .* failed: Invalid argument/);
  });

  test('file systems: made, recognised, checked, and seen by lsblk', async () => {
    const text = await world.output(`
      ${disk()}
      mkfs.ext4 -q /dev/mapper/${NAME}
      blkid -o value -s TYPE /dev/mapper/${NAME}
      fsck.ext4 -fn /dev/mapper/${NAME} >/dev/null 2>&1; echo $?
      lsblk -nr -o NAME,SIZE,TYPE,FSTYPE /dev/mapper/${NAME}
      grep -c dm-0 /proc/partitions
      dmsetup remove ${NAME}`);
    expect(text).toBe(`ext4\n0\n${NAME} 64M dm ext4\n1\n`);
  });

  test('fio, direct and asynchronous, reads what it wrote', async () => {
    const text = await world.output(`
      ${disk()}
      fio --name=x --filename=/dev/mapper/${NAME} --rw=randrw --bs=4k --size=8M --direct=1 --ioengine=libaio \
        --iodepth=8 --verify=crc32c --verify_fatal=1 --aux-path=$PWD --minimal >/dev/null
      dd if=/dev/zero of=/dev/mapper/${NAME} bs=1M count=4 oflag=direct conv=fsync 2>/dev/null
      cmp -n 4194304 /dev/mapper/${NAME} /dev/zero && echo zeroes
      dmsetup remove ${NAME}`);
    expect(text).toBe('zeroes\n');
  });

  test.each([
    ['nodes', () => nodes],
    ['a private /dev', () => world],
  ])('mount, a second time too, with %s; the device is busy meanwhile', async (_, chosen) => {
    const { status, stdout, stderr } = await chosen().script(`
      ${disk()}
      mkfs.ext4 -q /dev/mapper/${NAME}; mkdir -p a b
      mount /dev/mapper/${NAME} a
      echo hello > a/file; mount /dev/mapper/${NAME} b; cat b/file
      findmnt -n -o SOURCE,MAJ:MIN a; grep -c /dev/mapper/${NAME} /proc/mounts
      df --output=source b | tail -1
      dmsetup remove ${NAME} 2>&1 || true
      umount a; umount /dev/mapper/${NAME}
      dmsetup remove --retry ${NAME}`);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      'hello',
      expect.stringMatching(`^/dev/mapper/${NAME} +252:0 *$`),
      '2',
      `/dev/mapper/${NAME}`,
      expect.stringContaining('Device or resource busy'),
      'Command failed.',
      '',
    ]);
  });

  test('block ioctls answer as the kernel does', async () => {
    const compiled = spawnSync('cc', ['-o', join(world.folder, 'ioctls'), here('block-ioctls.c')]);
    expect(compiled.status).toBe(0);
    const text = await world.output(`
      dmsetup create ${NAME} --table '0 100000 linear mem:64M 8'
      ./ioctls /dev/mapper/${NAME}
      dmsetup remove ${NAME}`);
    const kernel = readFileSync(here('../golden/block-ioctls.txt'), 'utf8').split('\n');
    expect(text.split('\n')).toEqual(kernel.map((line) => DIFFERENT[line] ?? line));
  });

  test('the library compiles without a warning', () => {
    const source = here('../../src/exec/preload.c');
    const words = [
      '-shared',
      '-fPIC',
      '-O2',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-o',
      '/dev/null',
      source,
    ];
    expect(spawnSync('cc', words, { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(source, 'utf8').split('\n').length).toBeLessThanOrEqual(600);
  });

  test('descriptors are the node that was opened', async () => {
    const text = await world.output(`
      ${disk()}
      exec 3<>/dev/mapper/${NAME}
      stat -L -c %F /dev/mapper/${NAME} /dev/dm-0
      test "$(stat -L -c '%d %i %t %T' - <&3)" = "$(stat -c '%d %i %t %T' /dev/mapper/${NAME})" && echo same
      dmsetup info -c --noheadings -o open ${NAME}
      exec 3>&-
      dmsetup info -c --noheadings -o open ${NAME}
      dmsetup remove ${NAME}`);
    expect(text).toBe('block special file\nblock special file\nsame\n1\n0\n');
  });

  test('exit status, signals, standard input', async () => {
    expect((await world.devmapper('exec', 'sh', '-c', 'exit 7')).status).toBe(7);
    expect((await world.devmapper('exec', 'sh', '-c', 'kill -TERM $$')).status).toBe(143);
    const missing = await world.devmapper('exec', 'no-such-program');
    expect(missing.status).toBe(127);
    expect(missing.stderr).toContain('there is no such program');
    const image = await world.devmapper('exec', '/etc/passwd');
    expect(image.status).toBe(126);
    expect(image.stderr).toContain('Cannot run /etc/passwd: it is not an executable file');
  });

  test('a wait is interrupted by a signal', async () => {
    const { stdout } = await world.script(`
      dmsetup create ${NAME} --table '0 1000 zero'
      N=$(dmsetup info -c --noheadings -o events ${NAME})
      timeout -s TERM 1 dmsetup wait ${NAME} $N || echo $?
      dmsetup remove ${NAME}`);
    expect(stdout).toBe('124\n');
  });
});
