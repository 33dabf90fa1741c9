/** Mounting, unmounting and what is left behind; the kernel's own users of files: loop devices and file systems on them. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { FuseExport } from '../../src/exports/fuse/fuse-export.ts';
import { recoverStaleMount } from '../../src/exports/fuse/mount.ts';
import { describeUnless, missingTools, toolEnvironment } from '../../src/testing/tools.ts';
import { FuseFixture, fuseObstacle } from './fuse-fixture.ts';
import { asNobody } from './nobody.ts';
import { run, succeed } from './serve-process.ts';

const MIB = 1024 * 1024;
const isRoot = process.getuid?.() === 0;
const program = fileURLToPath(new URL('../../bin/devmapper', import.meta.url));

function needs(...tools: string[]): string | null {
  const missing = missingTools(tools);
  return fuseObstacle() ?? (missing.length > 0 ? `needs ${missing.join(', ')}` : null);
}

/** Loop devices are made and unmade here to see whether that works at all. */
function loopObstacle(): string | null {
  const obstacle = needs('losetup', 'mkfs.ext4', 'fsck.ext4', 'mount');
  if (obstacle !== null) return obstacle;
  if (!isRoot) return 'needs root';
  const { status, stderr } = spawnSync('losetup', ['-f'], {
    env: toolEnvironment(),
    encoding: 'utf8',
  });
  return status === 0 ? null : `needs loop devices: ${stderr.trim()}`;
}

function isMounted(folder: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${folder} `);
}

/** `devmapper` with a state folder of its own, as root or as nobody. */
class DaemonFixture implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'devmapper-fuse-'));
  readonly mount = join(this.folder, 'state', 'mapper');
  readonly #prefix: readonly string[];

  constructor(options: { asNobody?: boolean } = {}) {
    chmodSync(this.folder, 0o777);
    this.#prefix = options.asNobody ? asNobody() : [];
  }

  #words(words: readonly string[]): [string, string[]] {
    const [file = '', ...rest] = [...this.#prefix, process.execPath, program, ...words];
    return [file, rest];
  }

  get #environment(): NodeJS.ProcessEnv {
    const DEVMAPPER_DIR = join(this.folder, 'state');
    return { ...toolEnvironment(), DEVMAPPER_NO_BUILD: '1', DEVMAPPER_DIR };
  }

  /** Answers what it printed; throws with what it complained of. */
  async devmapper(...words: string[]): Promise<string> {
    const [file, rest] = this.#words(words);
    const child = spawn(file, rest, { env: this.#environment });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
    const status = await new Promise((resolve) => child.on('close', resolve));
    if (status === 0) return output.stdout.trim();
    throw new Error(`devmapper ${words.join(' ')}: ${output.stderr.trim()}`);
  }

  /** A daemon that is this process's child; resolves when it is ready. */
  async daemon(...words: string[]): Promise<ChildProcess> {
    const [file, rest] = this.#words(['daemon', '--log-level', 'warn', ...words]);
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    const child = spawn(file, rest, { env: this.#environment, stdio: [...stdio] });
    await new Promise((resolve, reject) => {
      child.stdout.once('data', resolve);
      child.once('exit', () => reject(new Error('The daemon ended')));
    });
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.devmapper('daemon', 'stop', '--force').catch(() => undefined);
    if (isMounted(this.mount)) spawnSync('umount', ['-l', this.mount], { env: toolEnvironment() });
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A process with a mount namespace of its own, which has a copy of every mount; `script` says a line when it is ready. */
async function startElsewhere(script: string): Promise<ChildProcess> {
  const words = ['-m', '--propagation', 'private', 'sh', '-c', script];
  const child = spawn('unshare', words, {
    env: toolEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child;
}

function exited(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once('exit', resolve));
}

describeUnless(loopObstacle())('a loop device over a file', () => {
  test('carries a file system that is sound afterwards', async () => {
    await using fixture = await FuseFixture.start();
    const path = await fixture.create('disk', 64 * MIB);
    const loop = (await succeed('losetup', '-f', '--show', path)).trim();
    const folder = join(fixture.folder, 'mnt');
    await succeed('mkdir', folder);
    try {
      await succeed('mkfs.ext4', '-q', loop);
      await succeed('mount', loop, folder);
      await succeed('cp', '-r', fileURLToPath(new URL('../../src', import.meta.url)), folder);
      await succeed('sh', '-c', `rm -r ${folder}/src/core && sync -f ${folder}`);
      await succeed('umount', folder);
      await succeed('fsck.ext4', '-fn', loop);
    } finally {
      await run('umount', '-q', folder);
      await succeed('losetup', '-d', loop);
    }
    await fixture.mount.settle();
    while (fixture.mapper.info('disk').openCount > 0) await sleep(systemClock, 10);
    // Neither loop nor mount between: what they left lies in the image.
    await succeed('fsck.ext4', '-fn', `${fixture.folder}/disk.img`);
    expect(fixture.reports).toEqual([]);
  });
});

describeUnless(needs('timeout', 'ls'))('a mount', () => {
  test('lists 10,000 devices', async () => {
    await using fixture = await FuseFixture.start();
    for (let index = 0; index < 10_000; index += 1) {
      const device = fixture.mapper.engine.create({ name: `device-${index}` });
      await fixture.mapper.engine.load(device, [
        { start: 0, length: 8 + index, type: 'zero', params: '' },
      ]);
      await device.resume();
    }
    const names = await readdir(fixture.mount.folder);
    expect(names.length).toBe(10_000);
    const startMs = systemClock.nowMs();
    const lines = (await succeed('ls', fixture.mount.folder)).trim().split('\n');
    expect(systemClock.nowMs() - startMs).toBeLessThan(2000);
    expect(lines).toEqual(names);
    expect((await stat(fixture.path('device-1234'))).size).toBe(1242 * 512);
  });

  test('is not taken away from who uses it, unless forced', async () => {
    await using fixture = await FuseFixture.start();
    const path = await fixture.create('disk', MIB, 1);
    const holder = run('timeout', '10', 'sh', '-c', `exec 3<>${path}; sleep 2; head -c 4096 <&3`);
    while (fixture.mapper.info('disk').openCount === 0) await sleep(systemClock, 5);
    await expect(fixture.mount.unmount()).rejects.toMatchObject({ code: 'EBUSY' });
    await expect(
      FuseExport.mount({ mapper: fixture.mapper.engine, folder: fixture.mount.folder }),
    ).rejects.toMatchObject({ code: 'EBUSY' });
    await fixture.mount.unmount({ force: true });
    expect(isMounted(fixture.mount.folder)).toBe(false);
    expect(fixture.mapper.info('disk').openCount).toBe(0);
    const { stderr } = await holder;
    expect(stderr).toMatch(/not connected|aborted|not permitted|Input\/output/);
  });

  test('that somebody else unmounts is given up', async () => {
    await using fixture = await FuseFixture.start();
    await fixture.create('disk', MIB);
    const [file, ...words] = isRoot ? ['umount'] : ['fusermount3', '-u'];
    await succeed(file, ...words, fixture.mount.folder);
    await fixture.mount.ended;
    expect(fixture.reports).toEqual([]);
  });
});

describeUnless(isRoot ? needs('unshare', 'umount') : 'needs root')('another namespace', () => {
  test('that has a copy of the mount keeps it only while it has a file of it open', async () => {
    await using fixture = await FuseFixture.start();
    const path = await fixture.create('disk', MIB);
    const user = await startElsewhere(`exec 3<>${path}; echo ready; exec sleep 60`);
    await expect(fixture.mount.unmount()).rejects.toMatchObject({ code: 'EBUSY' });
    expect(isMounted(fixture.mount.folder)).toBe(true);
    const userEnded = exited(user);
    user.kill('SIGKILL');
    await userEnded;
    const idler = await startElsewhere('echo ready; exec sleep 60');
    const startMs = systemClock.nowMs();
    await fixture.mount.unmount();
    expect(systemClock.nowMs() - startMs).toBeLessThan(10_000);
    expect(isMounted(fixture.mount.folder)).toBe(false);
    const idlerEnded = exited(idler);
    idler.kill('SIGKILL');
    await idlerEnded;
    expect(fixture.reports).toEqual([]);
  });
});

describeUnless(needs('umount'))('the daemon', () => {
  test('unmounts when it ends, and clears away what one that was killed left', async () => {
    await using fixture = new DaemonFixture();
    const first = await fixture.daemon('--fuse');
    expect(await fixture.devmapper('mount')).toBe(fixture.mount);
    await fixture.devmapper('create', 'disk', '--table', '0 2048 zero');
    expect((await stat(join(fixture.mount, 'disk'))).size).toBe(MIB);
    const killed = exited(first);
    first.kill('SIGKILL');
    await killed;
    await expect(stat(fixture.mount)).rejects.toMatchObject({ code: 'ENOTCONN' });
    const second = await fixture.daemon('--fuse');
    expect(await readdir(fixture.mount)).toEqual([]);
    await fixture.devmapper('umount');
    expect(isMounted(fixture.mount)).toBe(false);
    await fixture.devmapper('mount');
    expect(isMounted(fixture.mount)).toBe(true);
    const ended = exited(second);
    second.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(isMounted(fixture.mount)).toBe(false);
    expect(await recoverStaleMount(fixture.mount)).toBe(false);
  });
});

describeUnless(needs('dd', 'cmp'))('a disk that does not answer', () => {
  test('holds up nobody else, even when every thread waits for it', async () => {
    await using below = new DaemonFixture();
    await below.daemon('--fuse');
    await below.devmapper('create', 'disk', '--table', '0 2048 linear mem:1M 0');
    await using fixture = await FuseFixture.start();
    const free = await fixture.create('free', MIB, 1);
    // A file of another daemon's mount: reading it waits for as long as that one's device is suspended.
    const table = `0 2048 linear ${below.mount}/disk 0`;
    await fixture.mapper.create({ name: 'stuck', table });
    const stuck = fixture.path('stuck');
    await succeed('dd', `if=${stuck}`, 'of=/dev/null', 'bs=4k', 'iflag=direct');
    const warm = ['bs=4k', 'iflag=direct', 'count=256'];
    const readers = Array.from({ length: 6 }, () =>
      run(
        'sh',
        '-c',
        `for i in 1 2 3 4 5 6 7 8; do dd if=${stuck} of=/dev/null ${warm.join(' ')}; done`,
      ),
    );
    await below.devmapper('suspend', 'disk');
    const tookMs: number[] = [];
    for (let count = 0; count < 5; count += 1) {
      const startMs = systemClock.nowMs();
      await succeed('cmp', free, `${fixture.folder}/free.img`);
      tookMs.push(systemClock.nowMs() - startMs);
    }
    // First of all: nothing here can end before.
    await below.devmapper('resume', 'disk');
    expect(Math.max(...tookMs)).toBeLessThan(5000);
    for (const { status } of await Promise.all(readers)) expect(status).toBe(0);
    expect(fixture.reports).toEqual([]);
  });
});

const userObstacle =
  needs('setpriv', 'fusermount3') ?? (isRoot ? null : 'needs root, to become another');

describeUnless(userObstacle)('an ordinary user', () => {
  test('mounts with fusermount3, writes, and is rid of a mount that a crash left', async () => {
    await using fixture = new DaemonFixture({ asNobody: true });
    const daemon = await fixture.daemon('--fuse');
    await fixture.devmapper('create', 'disk', '--table', '0 2048 linear mem:1M 0');
    const [setpriv = '', ...identity] = asNobody();
    const script = `echo hello | dd of=${fixture.mount}/disk conv=notrunc && head -c 5 ${fixture.mount}/disk`;
    expect(await succeed(setpriv, ...identity, 'sh', '-c', script)).toBe('hello');
    const killed = exited(daemon);
    daemon.kill('SIGKILL');
    await killed;
    expect(isMounted(fixture.mount)).toBe(true);
    await fixture.daemon('--fuse');
    expect(await succeed(setpriv, ...identity, 'ls', fixture.mount)).toBe('');
    await fixture.devmapper('umount');
    expect(isMounted(fixture.mount)).toBe(false);
    expect(existsSync(fixture.mount)).toBe(true);
  });
});

describe('without FUSE', () => {
  test('the refusal says what is missing', async () => {
    await using fixture = new DaemonFixture();
    const script = `
      import { FuseExport } from '${new URL('../../dist/exports/fuse/fuse-export.js', import.meta.url).href}';
      try { await FuseExport.mount({ mapper: null, folder: '/nowhere' }) }
      catch (error) { console.log(error.code, error.message) }`;
    const env = { ...process.env, DEVMAPPER_NO_KOFFI: '1' };
    const words = ['--input-type=module', '-e', script];
    const { stdout } = spawnSync(process.execPath, words, {
      env,
      encoding: 'utf8',
      cwd: fixture.folder,
    });
    expect(stdout).toMatch(/^ENOTSUP Cannot use FUSE: it needs the optional package koffi.*; NBD/);
  });
});
