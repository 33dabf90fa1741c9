/** Devices of LUKS images: in the daemon (`luks open`), and served in one step (`serve --luks`). Data go through real programs. */

import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireTools } from '../../src/testing/tools.ts';
import { DaemonWorld } from './daemon-rig.ts';
import { run, ServeProcess, succeed, temporaryFolder } from './serve-process.ts';

const MIB = 1024 * 1024;
const CHEAP = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];

function imageIn(folder: string, name: string, sizeMib = 24): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, sizeMib * MIB);
  return path;
}

requireTools(
  'cryptsetup',
  'nbdinfo',
  'nbdcopy',
  'mkfs.ext4',
  'e2fsck',
)('luks open', () => {
  test('makes a device for every program, once, and close takes it away', async () => {
    await using world = new DaemonWorld();
    const image = imageIn(world.root, 'disk image');
    const key = join(world.root, 'key');
    writeFileSync(key, 'the key\n');
    const open = (...words: string[]) => world.run('luks', 'open', '--key-file', key, ...words);
    const format = await world.run('luks', 'format', '-q', ...CHEAP, image, key);
    expect(format).toMatchObject({ status: 0, stderr: '' });
    expect(await open(image, 'secret')).toMatchObject({ status: 0, stdout: '', stderr: '' });

    const { stdout: uuid } = await world.run('luks', 'uuid', image);
    const { stdout: info } = await world.run('info', '-c', '--noheadings', '-o', 'uuid', 'secret');
    expect(info).toBe(`CRYPT-LUKS2-${uuid.trim().replaceAll('-', '')}-secret\n`);
    const { stdout: table } = await world.run('table', '--showkeys', 'secret');
    expect(table).toContain(`:64:logon:cryptsetup:${uuid.trim()}-d0 0 `);
    const { stdout: status } = await world.run('luks', 'status', '--json', 'secret');
    expect(JSON.parse(status)).toMatchObject({ type: 'LUKS2', device: image, keyBits: 512 });
    const daemon = await world.run('daemon', 'status', '--json');
    expect(JSON.parse(daemon.stdout)).toMatchObject({ services: { keyring: { keyCount: 0 } } });

    const mkfs = await world.run('exec', 'mkfs.ext4', '-q', '/dev/mapper/secret');
    expect(mkfs).toMatchObject({ status: 0 });
    const uri = `nbd+unix:///secret?socket=${join(world.folder, 'nbd.sock')}`;
    const copy = join(world.root, 'copy');
    await succeed('nbdcopy', uri, copy);
    await succeed('e2fsck', '-fn', copy);
    expect(readFileSync(image).includes(readFileSync(copy).subarray(1024, 1100))).toBe(false);

    expect(await open(image, 'secret')).toMatchObject({
      status: 5,
      stderr: expect.stringContaining('Device secret already exists.'),
    });
    expect(await open(image, 'second')).toMatchObject({
      status: 5,
      stderr: expect.stringContaining('which is in use (already mapped or mounted)'),
    });
    expect(await world.run('luks', 'close', 'nothere')).toMatchObject({ status: 4 });
    expect(await world.run('luks', 'close', 'secret')).toMatchObject({ status: 0 });
    expect(await world.run('luks', 'status', 'secret')).toMatchObject({
      status: 4,
      stdout: '/dev/mapper/secret is inactive.\n',
    });
  }, 60_000);

  test('writes a name as udev takes it, as cryptsetup does', async () => {
    await using world = new DaemonWorld();
    const image = imageIn(world.root, 'image');
    const key = join(world.root, 'key');
    writeFileSync(key, 'the key');
    await world.run('luks', 'format', '-q', ...CHEAP, image, key);
    const open = (name: string) => world.run('luks', 'open', '--key-file', key, image, name);
    expect(await open('my disk')).toMatchObject({ status: 0, stderr: '' });
    const { stdout } = await world.run('ls', '--manglename', 'none');
    expect(stdout).toBe('my\\x20disk\t(252:0)\n');
    for (const name of ['my disk', 'my\\x20disk', '/dev/mapper/my disk']) {
      expect(await world.run('luks', 'status', name)).toMatchObject({ status: 0 });
    }
    expect(await world.run('luks', 'close', 'my disk')).toMatchObject({ status: 0 });
    expect(await open('n'.repeat(128))).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('too long.'),
    });
  }, 60_000);

  test('with a detached header, read-only, with discards that stay', async () => {
    await using world = new DaemonWorld();
    const image = imageIn(world.root, 'disk');
    const header = join(world.root, 'header');
    const key = join(world.root, 'key');
    writeFileSync(key, 'key');
    const where = ['--key-file', key, '--header', header];
    await world.run('luks', 'format', '-q', ...CHEAP, ...where, image);
    const options = ['--readonly', '--allow-discards', '--persistent'];
    const opened = await world.run('luks', 'open', ...where, ...options, image, 'secret');
    expect(opened).toMatchObject({ status: 0 });
    const { stdout } = await world.run('luks', 'status', 'secret');
    expect(stdout).toContain('  offset:  0 sectors\n');
    expect(stdout).toContain('  mode:    readonly\n  flags:   discards \n');
    expect(await succeed('cryptsetup', 'luksDump', header)).toContain('allow-discards');
  }, 60_000);
});

requireTools(
  'cryptsetup',
  'nbdinfo',
  'nbdcopy',
  'qemu-img',
)('serve --luks', () => {
  test('opens what cryptsetup made, and serves it as disk', async () => {
    using folder = temporaryFolder();
    const image = imageIn(folder.path, 'disk');
    const key = join(folder.path, 'key');
    writeFileSync(key, 'the key');
    const type = ['--type', 'luks1', ...CHEAP];
    await succeed('cryptsetup', 'luksFormat', '-q', ...type, '--key-file', key, image);
    const plain = join(folder.path, 'plain');
    writeFileSync(plain, Buffer.alloc(4 * MIB, 'plain text '));
    const copy = join(folder.path, 'copy');
    const socket = ['--socket', join(folder.path, 'nbd.sock')];
    {
      await using server = await ServeProcess.start(
        folder.path,
        '--luks',
        image,
        '--key-file',
        key,
      );
      await succeed('nbdcopy', plain, server.uri());
      expect(await succeed('qemu-img', 'info', '-f', 'raw', server.uri())).toContain('22 MiB');
      await succeed('nbdcopy', server.uri(), copy);
      expect(await server.stop()).toBe(0);
    }
    expect(
      readFileSync(copy)
        .subarray(0, 4 * MIB)
        .equals(readFileSync(plain)),
    ).toBe(true);
    expect(readFileSync(image).includes('plain text')).toBe(false);

    const key2 = join(folder.path, 'key2');
    writeFileSync(key2, 'the key\n');
    const refused = await run('devmapper', 'serve', '--luks', image, '--key-file', key2, ...socket);
    expect(refused).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('No key available with this passphrase.'),
    });
    expect(refused.stderr).toContain('ends with a newline');
    const none = await run('devmapper', 'serve', '--luks', plain, '--key-file', key, ...socket);
    expect(none).toMatchObject({ status: 1, stderr: expect.stringContaining('--header FILE') });
  }, 60_000);

  test('below a table', async () => {
    using folder = temporaryFolder();
    const image = imageIn(folder.path, 'disk');
    const key = join(folder.path, 'key');
    writeFileSync(key, 'the key');
    await succeed('cryptsetup', 'luksFormat', '-q', ...CHEAP, '--key-file', key, image);
    const words = ['--name', 'secret', '--luks', image, '--key-file', key, '--name', 'part'];
    const table = ['--table', '0 8 linear mapper/secret 8'];
    await using server = await ServeProcess.start(folder.path, ...words, ...table);
    expect(server.devices.map(({ name, sizeBytes }) => [name, sizeBytes])).toEqual([
      ['part', 4096],
      ['secret', 8 * MIB],
    ]);
  }, 60_000);
});
