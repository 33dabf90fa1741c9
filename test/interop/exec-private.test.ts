/** The private view: unmodified programs as a user who may make no nodes, and as root with `--private`. */

import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { execObstacle, openWorld } from './exec-rig.ts';
import './serve-process.ts';

const tools = ['dmsetup', 'lvm', 'cryptsetup', 'mkfs.ext4', 'blkid', 'lsblk', 'fusermount3'];
const missing = missingTools(tools);
const obstacle = missing.length > 0 ? `needs ${missing.join(', ')}` : execObstacle();

const SCRIPT = `
  truncate -s 64M disk.img
  dmsetup create disk --table "0 131072 linear $PWD/disk.img 0"
  ls -l /dev/mapper/disk | cut -c1-10; stat -c '%F %t:%T' /dev/mapper/disk /dev/mapper/control
  test -b /dev/mapper/disk; ls /dev/mapper /dev/null
  mkfs.ext4 -q /dev/mapper/disk; blkid -o value -s TYPE /dev/mapper/disk
  lsblk -nr -o NAME,SIZE /dev/mapper/disk
  dd if=/dev/zero of=/dev/mapper/disk bs=1M count=2 conv=fsync 2>/dev/null
  chmod 600 /dev/mapper/disk; test -b /dev/mapper/disk
  pvcreate -q /dev/mapper/disk; vgcreate -q group /dev/mapper/disk; lvcreate -qq -y -n volume -L 16M group
  readlink /dev/group/volume; realpath /dev/group/volume; test -b /dev/group/volume
  mkfs.ext4 -q /dev/group/volume; lvextend -qq -r -L +8M group/volume >/dev/null
  lvs --noheadings -o lv_size group | tr -d ' '
  vgremove -qq -y group; test ! -e /dev/group
  printf secret > key
  cryptsetup luksFormat -q --pbkdf-memory 64 --pbkdf-force-iterations 4 --pbkdf-parallel 1 --key-file key /dev/mapper/disk
  cryptsetup open --test-passphrase --key-file key /dev/mapper/disk; cryptsetup luksDump /dev/mapper/disk | grep -c Version
  dmsetup rename disk other; ls /dev/mapper
  dmsetup remove other; ls /dev/mapper`;

const EXPECTED = [
  'brw-rw----',
  'block special file fc:0',
  'character special file a:ec',
  '/dev/null',
  '',
  '/dev/mapper:',
  'control',
  'disk',
  'ext4',
  'disk 64M',
  '/dev/mapper/group-volume',
  '/dev/mapper/group-volume',
  '24.00m',
  '1',
  'control',
  'other',
  'control',
  '',
];

describeUnless(obstacle)('devmapper exec with a private /dev', { timeout: 60_000 }, () => {
  test('as nobody: nodes, file systems, LVM, LUKS', async () => {
    await using world = openWorld({ user: 'nobody' });
    const text = await world.output(SCRIPT);
    const lines = text.split('\n').filter((line) => !/successfully|WARNING/.test(line));
    expect(lines).toEqual(EXPECTED);
  });

  test('as root with --private: nothing appears in the real /dev', async () => {
    await using world = openWorld({ words: ['--private'] });
    const name = `devmapper-private-${process.pid}`;
    const text = await world.output(`
      dmsetup create ${name} --table '0 2048 linear mem:1M 0'
      stat -c %F /dev/mapper/${name}; mkdir /dev/${name}; ln -s /dev/mapper/${name} /dev/${name}/link
      dd if=/dev/${name}/link of=/dev/null 2>/dev/null && echo read
      dmsetup create ${name}-above --table '0 8 linear /dev/${name}/link 0'; dmsetup table ${name}-above
      dmsetup remove ${name}-above
      env -u LD_PRELOAD sh -c 'test -e /dev/mapper/${name} && echo leaked'  || true
      rm -r /dev/${name}; dmsetup remove ${name}`);
    expect(text).toBe('block special file\nread\n0 8 linear 252:0 0\n');
    expect(existsSync(`/dev/${name}`)).toBe(false);
  });
});
