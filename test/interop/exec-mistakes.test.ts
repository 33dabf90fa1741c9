/** What programs do to the preload library on purpose or by mistake: bad pointers, long paths, short buffers, keys. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectClient } from '../../src/control/client/index.ts';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { type ExecWorld, execObstacle, openWorld } from './exec-rig.ts';
import './serve-process.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const missing = missingTools(['dmsetup']);
const obstacle = missing.length > 0 ? `needs ${missing.join(', ')}` : execObstacle();
const NAME = `mistakes-${process.pid}`;

describeUnless(obstacle)('programs that make mistakes', { timeout: 60_000 }, () => {
  let world: ExecWorld;

  beforeAll(() => {
    world = openWorld({ words: ['--private'] });
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  test('get the answers that a kernel gives', async () => {
    const words = ['-O1', '-w', '-o', join(world.folder, 'mistakes'), here('preload-mistakes.c')];
    expect(spawnSync('cc', words, { encoding: 'utf8' })).toMatchObject({ status: 0 });
    const { status, stdout, stderr } = await world.script(`
      dmsetup create ${NAME} --table '0 1000 zero'
      ./mistakes /dev/mapper/${NAME}
      dmsetup remove ${NAME}`);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n')).toEqual([
      'open NULL: Bad address',
      'stat NULL: Bad address',
      'access NULL: Bad address',
      'BLKGETSIZE64 NULL: Bad address',
      'long path of /proc: No such file or directory',
      'link in 20 bytes: /dev/mapper/target-o',
      'doubled slashes: block device',
      'dots: block device',
      'errno after success: 77',
    ]);
  });

  test('a logon key reaches the daemon, and its log does not tell it', async () => {
    const key = Buffer.from('0123456789abcdef0123456789abcdef');
    const { status, stdout } = await world.script(
      `./mistakes key cryptsetup:test-${process.pid} ${key.toString()}; cat $DEVMAPPER_DIR/log`,
    );
    expect({ status, stdout: stdout.split('\n')[0] }).toEqual({ status: 0, stdout: 'key added' });
    expect(stdout).not.toContain(key.toString());
    expect(stdout).not.toContain(key.toString('hex'));
    await using client = await connectClient({ transport: 'socket', folder: world.folder });
    expect(await client.daemon('status')).toMatchObject({ services: { keyring: { keyCount: 1 } } });
    const refused = client.daemon('key-add', { description: 'a:b', payload: 'secret' });
    await expect(refused).rejects.toThrow(/^Cannot add key: "payload" is not/);
  });
});
