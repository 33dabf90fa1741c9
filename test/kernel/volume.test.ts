/** The main job against a real kernel: our volume as its disk, and its own NBD client against our server. */

import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireTools } from '../../src/testing/tools.ts';
import { ServeProcess, succeed, temporaryFolder } from '../interop/serve-process.ts';
import { requireKernel, runInKernel } from './kernel.ts';

const MiB = 1024 * 1024;

function makeImage(folder: string, name: string, sizeBytes: number): string {
  const path = join(folder, name);
  const fd = openSync(path, 'w');
  ftruncateSync(fd, sizeBytes);
  closeSync(fd);
  return path;
}

requireTools('fsck.ext4', 'debugfs')('tools for ext4', () => {
  requireKernel()('our volume as the disk of a real kernel', () => {
    test('a file system made and filled there is clean in the images here', async () => {
      using folder = temporaryFolder();
      const a = makeImage(folder.path, 'a.img', 24 * MiB);
      const b = makeImage(folder.path, 'b.img', 40 * MiB);
      await using server = await ServeProcess.start(folder.path, a, b);
      const { status, stdout, stderr } = await runInKernel({
        disks: [server.uri()],
        script: `set -e
          blockdev --getsize64 /dev/vda
          mkfs.ext4 -q /dev/vda
          mount /dev/vda /mnt
          head -c 30000000 /dev/urandom > /mnt/random
          for i in $(seq 200); do echo "file $i" > /mnt/small-$i; done
          rm /mnt/small-1*
          sync
          sha256sum < /mnt/random | cut -d ' ' -f 1
          fstrim -v /mnt >&2
          umount /mnt`,
      });
      expect({ status, stderr }).toMatchObject({ status: 0 });
      expect(await server.stop()).toBe(0);

      const [size, sum] = stdout.trim().split('\n');
      expect(size).toBe(String(64 * MiB));
      const joined = join(folder.path, 'joined');
      writeFileSync(joined, Buffer.concat([readFileSync(a), readFileSync(b)]));
      await succeed('fsck.ext4', '-f', '-n', joined);
      const dumped = join(folder.path, 'random');
      await succeed('debugfs', '-R', `dump random ${dumped}`, joined);
      expect(createHash('sha256').update(readFileSync(dumped)).digest('hex')).toBe(sum);
      expect(await succeed('debugfs', '-R', 'cat small-200', joined)).toBe('file 200\n');
    });
  });

  requireKernel()('the NBD client in the kernel', () => {
    test('attaches our volume, and what it writes lands in the images', async () => {
      using folder = temporaryFolder();
      const a = makeImage(folder.path, 'a.img', 8 * MiB);
      const b = makeImage(folder.path, 'b.img', 8 * MiB);
      await using server = await ServeProcess.start(folder.path, '--listen', '127.0.0.1:0', a, b);
      const port = new URL(server.uri()).port;
      const border = 8 * MiB - 3;
      const { status, stdout, stderr } = await runInKernel({
        network: true,
        script: `set -e
          nbd-client 10.0.2.2 ${port} /dev/nbd0 -N disk >&2
          blockdev --getsize64 /dev/nbd0
          mkfs.ext4 -q /dev/nbd0
          mount /dev/nbd0 /mnt
          echo hello > /mnt/greeting
          umount /mnt
          blkdiscard -o ${4 * MiB} -l ${MiB} /dev/nbd0
          printf BORDER | dd of=/dev/nbd0 bs=1 seek=${border} conv=fsync status=none
          nbd-client -d /dev/nbd0 >&2`,
      });
      expect({ status, stderr }).toMatchObject({ status: 0 });
      expect(stdout).toBe(`${16 * MiB}\n`);
      expect(await server.stop()).toBe(0);
      const joined = join(folder.path, 'joined');
      writeFileSync(joined, Buffer.concat([readFileSync(a), readFileSync(b)]));
      expect(readFileSync(joined).toString('latin1', border, border + 6)).toBe('BORDER');
      expect(await succeed('debugfs', '-R', 'cat greeting', joined)).toBe('hello\n');
    });
  });
});
