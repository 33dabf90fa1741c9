/** Whose nodes are in /dev/mapper: one daemon's at a time, and none when it has ended. A daemon of another version. */

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FrameReader } from '../../src/control/protocol/frame-reader.ts';
import { encodeReply, requestShape } from '../../src/control/protocol/frames.ts';
import { describeUnless, missingTools, toolEnvironment } from '../../src/testing/tools.ts';
import { execObstacle, openWorld } from './exec-rig.ts';
import { asNobody } from './nobody.ts';
import './serve-process.ts';

const missing = missingTools(['dmsetup', 'mknod', 'unshare']);
const obstacle = missing.length > 0 ? `needs ${missing.join(', ')}` : execObstacle();
const NAME = `nodes-${process.pid}`;
const LOCK = '/run/devmapper-nodes.lock';

const isNode = (name: string) =>
  lstatSync(join('/dev/mapper', name), { throwIfNoEntry: false })?.isBlockDevice() ?? false;

describeUnless(obstacle)('nodes in /dev/mapper', { timeout: 60_000 }, () => {
  test("are one daemon's, and go with it; others have a private /dev", async () => {
    const worlds = [openWorld(), openWorld()];
    try {
      const create = `dmsetup create ${NAME} --table "0 8 zero"; test -b /dev/mapper/${NAME}; echo $DEVMAPPER_EXEC`;
      const views = await Promise.all(worlds.map((world) => world.output(create)));
      const owner = views.indexOf('252 nodes\n');
      // Another test's daemon may have them; then they are none of ours.
      expect(isNode(NAME)).toBe(owner >= 0);
      expect(views.filter((view) => view === '252 nodes\n').length).toBeLessThanOrEqual(1);
      await worlds[owner === 0 ? 1 : 0]!.output(`dmsetup remove ${NAME}`);
      expect(isNode(NAME)).toBe(owner >= 0);
      if (owner < 0) return;
      const stranger = `${NAME}-stranger`;
      execFileSync('mknod', [join('/dev/mapper', stranger), 'b', '259', '9999']);
      try {
        await worlds[owner]!.devmapper('rename', NAME, `${NAME}-b`);
        await worlds[owner]!.output(`test ! -e /dev/mapper/${NAME}; test -b /dev/mapper/${NAME}-b`);
        expect((await worlds[owner]!.devmapper('daemon', 'stop')).status).toBe(0);
        expect([isNode(`${NAME}-b`), isNode(stranger)]).toEqual([false, true]);
      } finally {
        execFileSync('rm', [join('/dev/mapper', stranger)]);
      }
      expect(existsSync(LOCK)).toBe(true);
    } finally {
      await Promise.all(worlds.map((world) => world[Symbol.asyncDispose]()));
    }
  });

  test('root of a user namespace has a private /dev', async () => {
    const world = openWorld({ user: 'nobody' });
    try {
      // Root of a user namespace cannot pass a folder that is closed to nobody, such as a checkout below /root: seen from elsewhere.
      const checkout = fileURLToPath(new URL('../..', import.meta.url));
      const place = join(world.folder, 'checkout');
      mkdirSync(place);
      const lookFromThere = ['unshare', '-m', 'sh', '-ec', 'mount --bind "$0" "$1"; shift; "$@"'];
      const program = join(place, 'bin/devmapper');
      const script = `dmsetup create ${NAME} --table "0 8 zero"; test -b /dev/mapper/${NAME}; echo $DEVMAPPER_EXEC`;
      const user = [...asNobody(), 'unshare', '-r', '-m', process.execPath, program];
      const words = [...lookFromThere, checkout, place, ...user];
      const options = {
        cwd: world.folder,
        encoding: 'utf8',
        env: {
          ...toolEnvironment(),
          DEVMAPPER_DIR: world.folder,
          HOME: world.folder,
          DEVMAPPER_NO_BUILD: '1',
        },
      } as const;
      const run = (...more: string[]) =>
        spawnSync(words[0]!, [...words.slice(1), ...more], options);
      const { stdout, stderr } = run('exec', 'sh', '-e', '-c', script);
      run('daemon', 'stop', '--force');
      expect({ stdout, stderr }).toMatchObject({ stdout: '252 private\n' });
    } finally {
      await world[Symbol.asyncDispose]();
    }
  });

  test('a daemon of another version is refused', async () => {
    const world = openWorld();
    const status = Buffer.from(JSON.stringify({ pid: 4711, version: '0.0.1-old' }));
    const server = createServer((socket) => {
      const reader = new FrameReader(requestShape);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        if (reader.read(chunk).frame === null) return;
        for (const piece of encodeReply({ errno: 0, buffer: status, reason: '' }))
          socket.write(piece);
      });
    });
    await new Promise<void>((resolve) => server.listen(join(world.folder, 'control'), resolve));
    try {
      const { status: code, stderr } = await world.devmapper('exec', 'true');
      expect(code).toBe(1);
      expect(stderr).toMatch(/process id 4711\) is devmapper 0\.0\.1-old, this is .*daemon stop/);
    } finally {
      await new Promise((resolve) => server.close(resolve));
      await world[Symbol.asyncDispose]();
    }
  });
});
