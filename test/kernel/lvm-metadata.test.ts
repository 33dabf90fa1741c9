/** Volume groups that real LVM made on our devices, in a real kernel, and the other way round. One boot for both directions. */

import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { type ExecWorld, execObstacle, openWorld } from '../interop/exec-rig.ts';
import { kernelAvailable, runInKernel } from './kernel.ts';

const missing = missingTools(['dmsetup', 'lvm', 'mkfs.ext4', 'fsck.ext4']);
const obstacle =
  missing.length > 0 ? `needs ${missing.join(', ')}` : (execObstacle() ?? kernelAvailable());

const OURS = `dmours${process.pid}`;
const THEIRS = `dmtheirs${process.pid}`;
const IMAGE_BYTES = 64 * 2 ** 20;

/** LVM that looks at two disks and remembers nothing. */
function lvmOn(disks: readonly string[]): string {
  const filter = disks.map((disk) => `"a|^${disk}$|"`).join(', ');
  const configuration = `devices { filter = [ ${filter}, "r|.*|" ] use_devicesfile = 0 } backup { backup = 0 archive = 0 }`;
  return `lvm() { command lvm "$@" --config '${configuration}' 2>&1; }\n`;
}

/** Linear and striped volumes, in several segments, with a file system and random bytes. */
function makeGroup(group: string, [first, second]: readonly [string, string]): string {
  return `${lvmOn([first, second])}
    lvm pvcreate -q ${first} ${second}
    lvm vgcreate -q -s 1M ${group} ${first} ${second}
    lvm lvcreate -qq -y -n lin -L 12M ${group} ${first}
    lvm lvcreate -qq -y -n str -i 2 -I 16k -L 16M ${group}
    lvm lvextend -qq -L +8M ${group}/lin ${second}
    lvm lvcreate -qq -y -n gone -L 4M ${group}; lvm lvremove -qq -y ${group}/gone
    lvm lvchange -qq --addtag some-tag ${group}/str
    mkfs.ext4 -q /dev/${group}/lin
    head -c 16M /dev/urandom >/dev/${group}/str
    echo "sum $(sha256sum </dev/${group}/str)"
    lvm vgchange -qq -an ${group}; sync\n`;
}

/** What the other side makes of it; it also changes it. */
function useGroup(group: string, disks: readonly [string, string]): string {
  return `${lvmOn(disks)}
    lvm vgck ${group}
    lvm vgchange -qq -ay ${group}
    lvm lvs --noheadings --nosuffix --units m --separator , -o lv_name,lv_size,stripes,lv_tags,lv_health_status ${group} | tr -d ' '
    lvm pvs --noheadings --nosuffix --units m --separator , -o pv_size,pv_used,vg_name | tr -d ' '
    fsck.ext4 -fn /dev/${group}/lin >/dev/null 2>&1; echo "fsck $?"
    echo "sum $(sha256sum </dev/${group}/str)"
    lvm lvextend -qq -l +4 ${group}/lin
    lvm lvrename -q ${group} str other
    lvm vgchange -qq -an ${group}; sync\n`;
}

/** Changed as `useGroup` leaves it. */
function inspectGroup(group: string, disks: readonly [string, string]): string {
  return `${lvmOn(disks)}
    lvm vgck ${group}
    lvm lvs --noheadings --nosuffix --units m --separator , -o lv_name,lv_size ${group} | tr -d ' '\n`;
}

function marked(text: string, prefix: string): string {
  const line = text.split('\n').find((each) => each.startsWith(prefix));
  if (line === undefined) throw new Error(`no line "${prefix}" in:\n${text}`);
  return line;
}

describeUnless(obstacle)('volume groups of LVM', () => {
  let world: ExecWorld;
  let made: string;
  let kernel: string;
  let used: string;

  beforeAll(async () => {
    world = openWorld();
    const images = ['a', 'b', 'c', 'd'].map((name) => join(world.folder, `${name}.img`));
    for (const image of images) {
      writeFileSync(image, '');
      truncateSync(image, IMAGE_BYTES);
    }
    const names = images.map((_, index) => `dmpv${process.pid}-${index}`);
    const nodes = names.map((name) => `/dev/mapper/${name}`) as [string, string, string, string];
    const attach = names.map(
      (name, index) =>
        `dmsetup create ${name} --table "0 ${IMAGE_BYTES / 512} linear ${images[index]} 0"\n`,
    );
    const detach = names.map((name) => `dmsetup remove ${name}\n`).join('');
    made = await world.output(
      `${attach.join('')}${makeGroup(OURS, [nodes[0], nodes[1]])}${detach}`,
    );
    const run = await runInKernel({
      disks: images,
      script: `set -e\n${useGroup(OURS, ['/dev/vda', '/dev/vdb'])}${makeGroup(THEIRS, ['/dev/vdc', '/dev/vdd'])}`,
    });
    expect(run).toMatchObject({ status: 0 });
    kernel = run.stdout;
    used = await world.output(
      `${attach.join('')}${inspectGroup(OURS, [nodes[0], nodes[1]])}echo theirs
       ${useGroup(THEIRS, [nodes[2], nodes[3]])}${detach}`,
    );
  }, 170_000);

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  test('made on our devices, the kernel accepts one and reads the same bytes', () => {
    expect(kernel).toContain('lin,20.00,1,,\n');
    expect(kernel).toContain('str,16.00,2,some-tag,\n');
    expect(kernel).toContain('fsck 0\n');
    expect(marked(kernel, 'sum ')).toBe(marked(made, 'sum '));
  });

  test('changed in the kernel, it is accepted here', () => {
    expect(used.split('theirs\n')[0]).toContain('lin,24.00\n');
    expect(used.split('theirs\n')[0]).toContain('other,16.00\n');
  });

  test('made in the kernel, one is accepted here, with the same bytes', () => {
    const ours = used.split('theirs\n')[1]!;
    expect(ours).toContain('lin,20.00,1,,\n');
    expect(ours).toContain('str,16.00,2,some-tag,\n');
    expect(ours).toContain('fsck 0\n');
    const sums = kernel.split('\n').filter((line) => line.startsWith('sum '));
    expect(marked(ours, 'sum ')).toBe(sums[1]);
  });
});
