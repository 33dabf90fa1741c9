/** LVM2, kpartx, cryptsetup, btrfs and XFS, unmodified, on our devices, as root. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { type ExecWorld, execObstacle, openWorld } from './exec-rig.ts';
import './serve-process.ts';

const tools = ['dmsetup', 'lvm', 'cryptsetup', 'kpartx', 'mkfs.ext4', 'mkfs.btrfs', 'mkfs.xfs'];
const missing = missingTools(tools);
const obstacle = missing.length > 0 ? `needs ${missing.join(', ')}` : execObstacle();

const NAME = 'store-x';
const GROUP = 'group';
/** LVM looks at nothing but these, and remembers nothing. */
const LVM = `devices { filter = [ "a|/dev/mapper/${NAME}|", "r|.*|" ] use_devicesfile = 0 } backup { backup = 0 archive = 0 }`;

describeUnless(obstacle)('storage programs under exec', { timeout: 60_000 }, () => {
  let world: ExecWorld;

  beforeAll(() => {
    // Private, because nodes in /dev/mapper are everybody's, and some programs take away those they do not know.
    world = openWorld({ words: ['--private'] });
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const disk = (name: string, megabytes: number) =>
    `truncate -s ${megabytes}M ${name}.img; dmsetup create ${name} --table "0 ${megabytes * 2048} linear $PWD/${name}.img 0"\n`;

  test('LVM: volumes are made, grown, shrunk, renamed, exported, removed', async () => {
    const text = await world.output(`
      lvm() { command lvm "$@" --config '${LVM}' 2>&1; }
      ${disk(`${NAME}-a`, 64)} ${disk(`${NAME}-b`, 64)}
      lvm pvcreate -q /dev/mapper/${NAME}-a /dev/mapper/${NAME}-b
      lvm vgcreate -q ${GROUP} /dev/mapper/${NAME}-a /dev/mapper/${NAME}-b
      lvm lvcreate -qq -y -n lin -L 24M ${GROUP}
      lvm lvcreate -qq -y -n str -i 2 -L 16M ${GROUP}
      mkfs.ext4 -q /dev/${GROUP}/lin
      lvm lvextend -qq -L +8M ${GROUP}/lin
      e2fsck -fp /dev/${GROUP}/lin >/dev/null; resize2fs /dev/${GROUP}/lin 2>/dev/null >&2
      lvm lvreduce -qq -y -L 8M ${GROUP}/str
      lvm lvrename -q ${GROUP} str two
      lvm lvs --noheadings --nosuffix --units m -o lv_name,lv_size,stripes ${GROUP} | tr -s ' '
      lsblk -nr -o TYPE /dev/mapper/${GROUP}-two
      lvm vgcfgbackup -q -f backup.vg ${GROUP}; grep -c two backup.vg
      lvm vgchange -qq -an ${GROUP}; lvm vgexport -qq ${GROUP}; lvm vgimport -qq ${GROUP}; lvm vgchange -qq -ay ${GROUP}
      e2fsck -fn /dev/${GROUP}/lin >/dev/null 2>&1; echo $?
      lvm vgremove -qq -y ${GROUP}; test ! -e /dev/${GROUP}/lin
      dmsetup remove ${NAME}-a; dmsetup remove ${NAME}-b`);
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([' lin 32.00 1', ' two 8.00 2', 'lvm', '0']),
    );
  });

  test('kpartx maps partitions', async () => {
    writeFileSync(
      join(world.folder, 'mbr'),
      partitionTable([
        [2048, 4096],
        [8192, 65536],
      ]),
    );
    const text = await world.output(`
      ${disk(NAME, 64)}
      dd if=mbr of=/dev/mapper/${NAME} conv=notrunc,fsync 2>/dev/null
      kpartx -a /dev/mapper/${NAME}
      dmsetup table; mkfs.ext4 -q /dev/mapper/${NAME}2
      kpartx -d /dev/mapper/${NAME}; dmsetup ls; dmsetup remove ${NAME}`);
    expect(text).toContain(': 0 4096 linear 252:0 2048');
    expect(text).toContain(': 0 65536 linear 252:0 8192');
    expect(text.trimEnd().split('\n').at(-1)).toMatch(new RegExp(`^${NAME}\\s+\\(252:0\\)$`));
  });

  test('btrfs and XFS are made and checked', async () => {
    const text = await world.output(`
      ${disk(NAME, 400)}
      mkfs.xfs -q -f /dev/mapper/${NAME}; xfs_repair -n /dev/mapper/${NAME} >/dev/null 2>&1; echo xfs $?
      mkfs.btrfs -q -f /dev/mapper/${NAME} >/dev/null 2>&1; btrfs check /dev/mapper/${NAME} >/dev/null 2>&1; echo btrfs $?
      dmsetup remove ${NAME}`);
    expect(text).toBe('xfs 0\nbtrfs 0\n');
  });

  test('cryptsetup formats, dumps, opens and closes', async () => {
    const { status, stdout } = await world.script(`
      ${disk(NAME, 32)} printf secret > key
      cryptsetup luksFormat -q --pbkdf-memory 64 --pbkdf-force-iterations 4 --pbkdf-parallel 1 --key-file key /dev/mapper/${NAME}
      cryptsetup luksDump /dev/mapper/${NAME} | grep Version
      cryptsetup open --test-passphrase --key-file key /dev/mapper/${NAME}
      cryptsetup open --key-file key /dev/mapper/${NAME} ${NAME}-open
      dmsetup table ${NAME}-open
      printf 'plain text' | dd of=/dev/mapper/${NAME}-open conv=notrunc status=none
      head -c 10 /dev/mapper/${NAME}-open; echo
      cryptsetup close ${NAME}-open
      dmsetup remove ${NAME}`);
    expect(stdout).toMatch(/^Version:\s+2$/m);
    expect(stdout).toMatch(/^0 \d+ crypt aes-xts-plain64 :64:logon:cryptsetup:/m);
    expect(stdout).toMatch(/^plain text$/m);
    expect(status).toBe(0);
  });
});

/** A DOS partition table: start and length of each partition in sectors. */
function partitionTable(partitions: readonly (readonly [number, number])[]): Buffer {
  const sector = Buffer.alloc(512);
  partitions.forEach(([start, length], index) => {
    const at = 446 + index * 16;
    sector[at + 4] = 0x83;
    sector.writeUInt32LE(start, at + 8);
    sector.writeUInt32LE(length, at + 12);
  });
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}
