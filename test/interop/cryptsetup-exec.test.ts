/** The real cryptsetup on our devices, unmodified, under `devmapper exec`: it opens, a file system is made and found again, it closes. */

import { execFileSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { type ExecWorld, execObstacle, openWorld } from './exec-rig.ts';
import './serve-process.ts';

const missing = missingTools(['cryptsetup', 'dmsetup', 'mkfs.ext4']);
const obstacle = missing.length > 0 ? `needs ${missing.join(', ')}` : execObstacle();
const NAME = `cs-${process.pid}`;

describeUnless(obstacle)('cryptsetup under exec', { timeout: 120_000 }, () => {
  let world: ExecWorld;

  beforeAll(() => {
    world = openWorld({ words: ['--private'] });
    writeFileSync(join(world.folder, 'password'), 'secret');
    writeFileSync(join(world.folder, 'key'), Buffer.alloc(64, 7));
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  function image(name: string, ...format: string[]): void {
    const path = join(world.folder, name);
    writeFileSync(path, '');
    truncateSync(path, 24 * 1024 * 1024);
    if (format.length === 0) return;
    const words = ['luksFormat', '-q', ...format, path, join(world.folder, 'password')];
    execFileSync('cryptsetup', words);
  }

  const kinds: [name: string, format: string[], open: string, key: RegExp][] = [
    [
      'luks2',
      ['--type', 'luks2', '--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'],
      'open --key-file password',
      / crypt aes-xts-plain64 :64:logon:cryptsetup:[-0-9a-f]+-d0 0 /,
    ],
    [
      'luks1',
      ['--type', 'luks1', '--pbkdf-force-iterations', '1000'],
      'open --key-file password',
      / crypt aes-xts-plain64 0{128} 0 /,
    ],
    [
      'plain',
      [],
      'open --type plain --cipher aes-cbc-essiv:sha256 --key-size 256 --hash plain --key-file key',
      / crypt aes-cbc-essiv:sha256 0{64} 0 /,
    ],
  ];

  test.each(kinds)('%s', async (name, format, open, table) => {
    image(name, ...format);
    const device = `${NAME}-${name}`;
    const output = await world.output(`
      cryptsetup ${open} ${name} ${device}
      dmsetup table ${device}
      cryptsetup status ${device}
      mkfs.ext4 -q /dev/mapper/${device}
      cryptsetup close ${device}
      cryptsetup ${open} ${name} ${device}
      fsck.ext4 -nf /dev/mapper/${device} 2>&1
      cryptsetup close ${device}
      dmsetup ls`);
    expect(output).toMatch(table);
    expect(output).toMatch(/ is active\.\n {2}type: +(LUKS2|LUKS1|PLAIN)\n/);
    expect(output).toMatch(/11\/\d+ files/);
    expect(output).toContain('No devices found');
    // As with a kernel: the key was cryptsetup's own and went with it.
    expect(await world.devmapper('key', 'list')).toMatchObject({ status: 0, stdout: '' });
  });
});
