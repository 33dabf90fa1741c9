/** The main job against a real kernel: our volume as its disk, plain and with its own encryption on it, and its own NBD client against our server. */

import { createHash } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatLuks, openLuksVolume, Secret } from '../../src/mapper/luks.ts';
import { requireTools } from '../../src/testing/tools.ts';
import { ServeProcess, succeed, temporaryFolder } from '../interop/serve-process.ts';
import { type KernelResult, requireKernel, runInKernel } from './kernel.ts';

const MiB = 1024 * 1024;

function makeImage(folder: string, name: string, sizeBytes: number): string {
  const path = join(folder, name);
  const fd = openSync(path, 'w');
  ftruncateSync(fd, sizeBytes);
  closeSync(fd);
  return path;
}

/** Our volume as /dev/vda. The checksum of a large file on it goes to /share/sum. */
const diskScript = `
  blockdev --getsize64 /dev/vda
  mkfs.ext4 -q /dev/vda
  mount /dev/vda /mnt
  head -c 30000000 /dev/urandom > /mnt/random
  for i in $(seq 200); do echo "file $i" > /mnt/small-$i; done
  rm /mnt/small-1*
  sync
  sha256sum < /mnt/random | cut -d ' ' -f 1 > /share/sum
  fstrim -v /mnt >&2
  umount /mnt
`;

const BORDER = 8 * MiB - 3;

/** Our volume through the kernel's own NBD client. */
const clientScript = (port: string) => `
  nbd-client 10.0.2.2 ${port} /dev/nbd0 -N disk >&2
  blockdev --getsize64 /dev/nbd0
  mkfs.ext4 -q /dev/nbd0
  mount /dev/nbd0 /mnt
  echo hello > /mnt/greeting
  umount /mnt
  blkdiscard -o ${4 * MiB} -l ${MiB} /dev/nbd0
  printf BORDER | dd of=/dev/nbd0 bs=1 seek=${BORDER} conv=fsync status=none
  nbd-client -d /dev/nbd0 >&2
`;

/** What we encrypted is /dev/vdb: opened, written and given another passphrase by dm-crypt and cryptsetup, over NBD. */
const cryptScript = `
  printf ours > /tmp/ours
  printf theirs > /tmp/theirs
  cryptsetup open --key-file /tmp/ours /dev/vdb plain
  head -c 12 /dev/mapper/plain > /share/seen
  printf 'written there' | dd of=/dev/mapper/plain bs=1 seek=${MiB} conv=fsync status=none
  cryptsetup luksAddKey --key-file /tmp/ours --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vdb /tmp/theirs
  cryptsetup close plain
`;

/** With `written here` in its first sector. */
async function encryptImage(path: string): Promise<void> {
  const pbkdf = { name: 'pbkdf2', forceIterations: 1000 } as const;
  await formatLuks(path, passphrase('ours'), { key: { pbkdf } });
  await using disk = await openLuksVolume(path, passphrase('ours'));
  const data = Buffer.alloc(4096);
  data.write('written here');
  await disk.write({ offsetBytes: 0, data });
}

function passphrase(text: string): Secret {
  return Secret.from(new TextEncoder().encode(text));
}

/** The images one behind the other, as one file. */
function joinImages(folder: string, name: string, images: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat(images.map((image) => readFileSync(image))));
  return path;
}

requireTools('fsck.ext4', 'debugfs')('tools for ext4', () => {
  requireKernel()('our volumes and a real kernel', () => {
    const folder = temporaryFolder();
    const image = (name: string, size: number) => makeImage(folder.path, name, size * MiB);
    const disks = [image('a.img', 24), image('b.img', 40)];
    const exported = [image('c.img', 8), image('d.img', 8)];
    const encrypted = image('encrypted.img', 24);
    let result: KernelResult;

    beforeAll(async () => {
      await using server = await ServeProcess.start(folder.path, ...disks);
      await using tcp = await ServeProcess.start(
        subfolder(folder.path, 'tcp'),
        '--listen',
        '127.0.0.1:0',
        ...exported,
      );
      const port = new URL(tcp.uri()).port;
      await encryptImage(encrypted);
      await using crypt = await ServeProcess.start(subfolder(folder.path, 'crypt'), encrypted);
      result = await runInKernel({
        disks: [server.uri(), crypt.uri()],
        network: true,
        shareDir: subfolder(folder.path, 'share'),
        script: `set -e\n${diskScript}${cryptScript}${clientScript(port)}`,
      });
      const statuses = [await server.stop(), await tcp.stop(), await crypt.stop()];
      expect(statuses).toEqual([0, 0, 0]);
    });
    afterAll(() => folder[Symbol.dispose]());

    test('have the sizes there that they have here', () => {
      expect(result, result.stderr).toMatchObject({ status: 0 });
      expect(result.stdout).toBe(`${64 * MiB}\n${16 * MiB}\n`);
    });

    test('a file system made and filled on a disk there is clean in the images here', async () => {
      const joined = joinImages(folder.path, 'joined-disk', disks);
      await succeed('fsck.ext4', '-f', '-n', joined);
      const dumped = join(folder.path, 'random');
      await succeed('debugfs', '-R', `dump random ${dumped}`, joined);
      const sum = createHash('sha256').update(readFileSync(dumped)).digest('hex');
      expect(readFileSync(join(folder.path, 'share', 'sum'), 'utf8')).toBe(`${sum}\n`);
      expect(await succeed('debugfs', '-R', 'cat small-200', joined)).toBe('file 200\n');
    });

    test('dm-crypt over NBD reads what we encrypted, and we read what it wrote', async () => {
      expect(readFileSync(join(folder.path, 'share', 'seen'), 'latin1')).toBe('written here');
      expect(readFileSync(encrypted).includes('written there')).toBe(false);
      await using disk = await openLuksVolume(encrypted, passphrase('theirs'));
      const [first, second] = [
        await disk.read({ offsetBytes: 0, lengthBytes: 4096 }),
        await disk.read({ offsetBytes: MiB, lengthBytes: 4096 }),
      ].map((data) => Buffer.from(data).toString('latin1', 0, 13));
      expect([first, second]).toEqual(['written here\0', 'written there']);
    });

    test('the NBD client in the kernel: what it writes lands in the images', async () => {
      const joined = joinImages(folder.path, 'joined-export', exported);
      expect(readFileSync(joined).toString('latin1', BORDER, BORDER + 6)).toBe('BORDER');
      expect(await succeed('debugfs', '-R', 'cat greeting', joined)).toBe('hello\n');
    });
  });
});

function subfolder(parent: string, name: string): string {
  const path = join(parent, name);
  mkdirSync(path);
  return path;
}
