/** Snapshots as LVM2, unmodified, makes, grows, merges and removes them, on our devices, as root. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { type ExecWorld, execObstacle, openWorld } from './exec-rig.ts';
import './serve-process.ts';

const missing = missingTools(['dmsetup', 'lvm']);
const obstacle = missing.length > 0 ? `needs ${missing.join(', ')}` : execObstacle();

const DISK = 'snapshot-x';
/** LVM looks at nothing but the disk, and remembers nothing. */
const LVM = `devices { filter = [ "a|/dev/mapper/${DISK}|", "r|.*|" ] use_devicesfile = 0 } backup { backup = 0 archive = 0 } activation { monitoring = 0 }`;

/** `fill VOLUME LETTER CHUNK COUNT` writes, `letters VOLUME` prints the runs of letters that chunks begin with, `10o 20n`. */
const prologue = `
lvm() { command lvm "$@" --config '${LVM}' 2>&1; }
fill() { head -c $(($4 * 4096)) /dev/zero | tr '\\0' "$2" | dd of=/dev/group/$1 bs=4096 seek=$3 conv=notrunc,fsync status=none; }
letters() { od -An -c -w4096 -v /dev/group/$1 | cut -c4 | uniq -c | tr -d ' \\n' | sed -E 's/([a-z])/\\1 /g; s/ $//'; echo; }
truncate -s 64M disk.img; dmsetup create ${DISK} --table "0 131072 linear $PWD/disk.img 0"
lvm pvcreate -q /dev/mapper/${DISK}; lvm vgcreate -q group /dev/mapper/${DISK}
lvm lvcreate -qq -y -n disk -L 8M group
fill disk o 0 2048
`;
const epilogue = `lvm vgremove -qq -y group; dmsetup ls; dmsetup remove ${DISK}`;

describeUnless(obstacle)("LVM's snapshots under exec", { timeout: 120_000 }, () => {
  let world: ExecWorld;

  beforeAll(() => {
    world = openWorld({ words: ['--private'] });
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  test('made, written on both sides, grown, merged: the devices stand as LVM names them', async () => {
    const text = await world.output(`${prologue}
      lvm lvcreate -qq -y -s -n draft -c 4k -L 4M group/disk
      dmsetup table | grep group
      fill disk n 0 20; fill draft s 10 30
      letters disk; letters draft; dmsetup status group-draft
      lvm lvextend -qq -L 8M group/draft
      letters draft; dmsetup status group-draft
      lvm lvconvert -qq --merge -i 1 group/draft | grep -v lvmpolld
      letters disk; dmsetup table | grep group
      ${epilogue}`);
    const lines = text.split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'group-disk: 0 16384 snapshot-origin 252:2',
        'group-disk-real: 0 16384 linear 252:0 2048',
        'group-draft: 0 16384 snapshot 252:2 252:3 P 8',
        'group-draft-cow: 0 8192 linear 252:0 18432',
        '20n 2028o',
        '10o 30s 2008o',
        '0 16384 snapshot 336/8192 16',
        '0 16384 snapshot 336/16384 16',
        'group-disk: 0 16384 linear 252:0 2048',
      ]),
    );
    expect(lines.filter((line) => line === '10o 30s 2008o')).toHaveLength(3);
    expect(lines.filter((line) => line.startsWith('group-'))).toHaveLength(5);
  });

  test('two of one volume: one full and dropped, then removed, the other as before', async () => {
    const text = await world.output(`${prologue}
      lvm lvcreate -qq -y -s -n one -c 4k -L 4M group/disk
      lvm lvcreate -qq -y -s -n two -c 16k -L 8M group/disk
      fill disk n 0 500
      letters one; letters two
      fill disk m 500 1000
      dmsetup status group-one; letters two
      lvm lvremove -qq -y group/one
      letters two; letters disk
      ${epilogue}`);
    const lines = text.split('\n');
    expect(lines.filter((line) => line === '2048o')).toHaveLength(4);
    expect(lines).toContain('0 16384 snapshot Invalid');
    expect(lines).toContain('500n 1000m 548o');
  });

  test('merged when next activated, because its origin was in use', async () => {
    const text = await world.output(`${prologue}
      lvm lvcreate -qq -y -s -n draft -c 16k -L 8M group/disk
      fill disk n 0 50
      exec 3< /dev/group/disk
      lvm lvconvert -y --merge group/draft
      exec 3<&-
      lvm vgchange -an group
      lvm vgchange -ay --poll n group
      dmsetup table
      letters disk`);
    expect(text).toContain('will occur on next activation of group/disk');
    expect(text).toContain('group-disk: 0 16384 snapshot-merge 252:1 252:2 P 32');
    expect(text).toContain('group-draft: 0 16384 error');
    expect(text.trimEnd().split('\n').at(-1)).toBe('2048o');
  });
});
