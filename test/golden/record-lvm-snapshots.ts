/** Asks a real kernel anew: `npx tsx test/golden/record-lvm-snapshots.ts` after test/kernel/lvm-snapshots.sh has changed. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runInKernel } from '../kernel/kernel.ts';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const script = `
  truncate -s 64M /dev/shm/disk
  dmsetup create snapshot-x --table "0 131072 linear $(losetup -f --show /dev/shm/disk) 0"
  set -- /dev/mapper/snapshot-x
  ${readFileSync(path('../kernel/lvm-snapshots.sh'), 'utf8')}`;
const { stdout } = await runInKernel({ script, timeoutMs: 500_000 });
writeFileSync(path('./lvm-snapshots.txt'), stdout);
