/** Snapshots as LVM2, unmodified, makes, grows, merges and removes them, on our devices, as root: all as on a kernel's (test/golden/lvm-snapshots.txt). */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { type ExecWorld, execObstacle, openWorld } from './exec-rig.ts';

const missing = missingTools(['dmsetup', 'lvm', 'perl']);
const obstacle = missing.length > 0 ? `needs ${missing.join(', ')}` : execObstacle();

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const steps = path('../kernel/lvm-snapshots.sh');
const kernels = readFileSync(path('../golden/lvm-snapshots.txt'), 'utf8');
const DISK = 'snapshot-x';

describeUnless(obstacle)("LVM's snapshots under exec", () => {
  let world: ExecWorld;

  beforeAll(() => {
    world = openWorld({ words: ['--private'], timeoutMs: 170_000 });
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  test('made, grown, full, removed, merged at once and merged later: each step as on a kernel', async () => {
    const said = await world.output(`
      truncate -s 64M disk.img
      dmsetup create ${DISK} --table "0 131072 linear $PWD/disk.img 0"
      bash ${steps} /dev/mapper/${DISK}`);
    expect(said).toBe(kernels);
    // What is golden shows what it is for.
    expect(kernels).toContain('group-disk: 0 16384 snapshot-merge dm:1 dm:2 P 32');
    expect(kernels).not.toMatch(/-> [1-9]|not merged/);
  });
});
