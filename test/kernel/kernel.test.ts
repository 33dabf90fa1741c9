import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requireKernel, runInKernel } from './kernel.ts';

requireKernel()('a real kernel', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'devmapper-kernel-test-'));
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test('maps two disks of ours, leaves the bytes in them, and passes streams and the exit status through', async () => {
    const disks = ['a.img', 'b.img'].map((name) => join(folder, name));
    for (const disk of disks) {
      writeFileSync(disk, '');
      truncateSync(disk, 1024 * 1024);
    }
    const result = await runInKernel({
      disks,
      shareDir: folder,
      script: [
        'set -e',
        'uname -r; dmsetup version; echo complaint >&2',
        "printf '0 2048 linear /dev/vda 0\\n2048 2048 linear /dev/vdb 0\\n' | dmsetup create joined",
        'dmsetup table joined | tee /share/table',
        'printf first | dd of=/dev/mapper/joined conv=notrunc status=none',
        'printf second | dd of=/dev/mapper/joined bs=512 seek=2048 conv=notrunc status=none',
        'dmsetup remove joined',
        'exit 7',
      ].join('\n'),
    });
    expect(result).toMatchObject({ status: 7, stderr: 'complaint\n' });
    expect(result.stdout).toMatch(/^6\.12\..*\n/);
    expect(result.stdout).toMatch(/^Driver version: +4\.\d+\.\d+$/m);
    const table = readFileSync(join(folder, 'table'), 'utf8');
    expect(table).toBe('0 2048 linear 254:0 0\n2048 2048 linear 254:16 0\n');
    expect(result.stdout.endsWith(table)).toBe(true);
    expect(readFileSync(disks[0]!, 'latin1').slice(0, 5)).toBe('first');
    expect(readFileSync(disks[1]!, 'latin1').slice(0, 6)).toBe('second');
  });

  test('says so when the kernel dies or time runs out', async () => {
    const crash = await runInKernel({ script: 'echo c > /proc/sysrq-trigger' });
    expect(crash.status).toBe(124);
    expect(crash.stderr).toContain('Kernel panic');
    const slow = await runInKernel({ script: 'sleep 600', timeoutMs: 3000 });
    expect(slow.status).toBe(124);
    expect(slow.stderr).toContain('no end after 3 s');
  });
});
