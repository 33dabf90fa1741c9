/** A daemon's life as its users see it: start, stop, status, signals, crashes, sockets from systemd. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { IoctlClient } from '../../src/control/client/ioctl-client.ts';
import { connectSocket } from '../../src/control/client/socket-transport.ts';
import { connectNbd } from '../../src/mapper/nbd-client.ts';
import { findTool, requireTools } from '../../src/testing/tools.ts';
import { createDevice, DaemonWorld, isAlive, program, until } from './daemon-rig.ts';

const nbdUri = (world: DaemonWorld, name: string) =>
  `nbd+unix:///${name}?socket=${join(world.folder, 'nbd.sock')}`;

describe('start, status and stop', () => {
  test('one daemon for a folder', async () => {
    await using world = new DaemonWorld();
    expect((await world.run('daemon', 'status')).status).toBe(3);
    expect((await world.run('daemon', 'stop')).status).toBe(3);
    expect((await world.run('daemon', 'start')).status).toBe(0);
    const pid = world.pid()!;
    expect(statSync(world.folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(world.folder, 'control')).mode & 0o777).toBe(0o600);
    for (const words of [['daemon', 'start'], ['daemon']]) {
      const again = await world.run(...words);
      expect(again.status).toBe(1);
      expect(again.stderr).toContain(`process id ${pid} runs`);
    }
    const status = JSON.parse((await world.run('daemon', 'status', '--json')).stdout) as object;
    expect(status).toMatchObject({ running: true, pid, deviceCount: 0, folder: world.folder });
    expect(await world.run('daemon', 'stop')).toMatchObject({ status: 0, stderr: '' });
    await until(() => !isAlive(pid));
    expect(existsSync(join(world.folder, 'control'))).toBe(false);
    expect(existsSync(join(world.folder, 'nbd.sock'))).toBe(false);
  });

  test('of many starters at once one starts it, and all find it', async () => {
    await using world = new DaemonWorld();
    const creations = Array.from({ length: 5 }, (_, index) =>
      world.run('create', `d${index}`, '--table', '0 8 zero'),
    );
    for (const { status, stderr } of await Promise.all(creations)) {
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    }
    await using client = await world.client();
    expect((await client.list()).map(({ name }) => name)).toEqual(['d0', 'd1', 'd2', 'd3', 'd4']);
  });

  test('stop is refused with the names while devices are open, and changes nothing then', async () => {
    await using world = new DaemonWorld();
    await world.run('daemon', 'start');
    await using client = await world.client();
    await createDevice(client, 'below', 'mem:1M 0');
    await createDevice(client, 'open', '/dev/mapper/below 0');
    const volume = await connectNbd(nbdUri(world, 'open'));
    const refused = await world.run('daemon', 'stop');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/in use: open$/m);
    await expect(client.remove({ name: 'open' })).rejects.toMatchObject({ code: 'EBUSY' });
    expect(await client.list()).toHaveLength(2);
    await volume.write({ offsetBytes: 0, data: new Uint8Array(512) });
    await volume.close();
    await until(async () => (await client.status({ name: 'open' })).openCount === 0);
    expect((await world.run('daemon', 'stop')).status).toBe(0);
  });

  test('stop does not wait for suspended devices, nor for what stands on one', async () => {
    await using world = new DaemonWorld();
    await world.run('daemon', 'start');
    await using client = await world.client();
    await createDevice(client, 'below', `${world.image('disk.img')} 0`);
    await createDevice(client, 'above', '/dev/mapper/below 0');
    await client.suspend({ name: 'below' });
    const startMs = systemClock.nowMs();
    expect(await world.run('daemon', 'stop')).toMatchObject({ status: 0, stderr: '' });
    expect(systemClock.nowMs() - startMs).toBeLessThan(8000);
  });

  test('status tells in words what services do, and no core file would have keys', async () => {
    await using world = new DaemonWorld();
    await world.run('daemon', 'start');
    await using client = await world.client();
    await client.daemon('sysfs');
    const { stdout } = await world.run('daemon', 'status');
    const filter = readFileSync(`/proc/${world.pid()}/coredump_filter`, 'utf8');
    expect(Number(`0x${filter.trim()}`), 'memory that a core file has').toBe(0);
    expect(stdout).toMatch(/^sysfs: +in .*\/state\/sys$/m);
    expect(stdout).not.toContain('{');
    await client.daemon('stop', { force: true });
  });

  test('stop --force flushes and ends whoever has a device open', async () => {
    await using world = new DaemonWorld();
    await world.run('daemon', 'start');
    const image = world.image('disk.img');
    await using client = await world.client();
    await createDevice(client, 'disk', `${image} 0`);
    const volume = await connectNbd(nbdUri(world, 'disk'), { timeoutMs: 1000 });
    await volume.write({ offsetBytes: 512, data: new Uint8Array(512).fill(7) });
    expect((await world.run('daemon', 'stop', '--force')).status).toBe(0);
    expect(readFileSync(image)[512]).toBe(7);
    await expect(volume.flush()).rejects.toThrow();
    await volume.close().catch(() => undefined);
  });
});

describe('ends that nobody planned', () => {
  test('after kill -9 the next one starts, whatever is left', async () => {
    await using world = new DaemonWorld();
    await world.run('daemon', 'start');
    const image = world.image('disk.img');
    await using client = await world.client();
    await createDevice(client, 'disk', `${image} 0`);
    const pid = world.pid()!;
    process.kill(pid, 'SIGKILL');
    await until(() => !isAlive(pid));
    expect(lstatSync(join(world.folder, 'control')).isSocket()).toBe(true);
    expect((await world.run('daemon', 'status')).status).toBe(3);
    expect(await world.run('create', 'disk', '--table', `0 8 linear ${image} 0`)).toMatchObject({
      status: 0,
    });
    expect(world.pid()).not.toBe(pid);
    expect((await world.run('ls')).stdout).toContain('disk');
  });

  test('SIGTERM under load: what was acknowledged and flushed is there', async () => {
    await using world = new DaemonWorld();
    const image = world.image('disk.img', 4 << 20);
    writeFileSync(join(world.root, 'tab'), `disk,,,,0 8192 linear ${image} 0\n`);
    const daemon = await world.foreground('--tab', 'tab');
    const volume = await connectNbd(nbdUri(world, 'disk'), { timeoutMs: 1000 });
    const acknowledged = new Set<number>();
    const write = async (slot: number): Promise<void> => {
      for (let block = slot; block < 1024; block += 16) {
        await volume.write({ offsetBytes: block * 4096, data: new Uint8Array(4096).fill(1) });
        acknowledged.add(block);
      }
    };
    const load = Promise.allSettled(Array.from({ length: 16 }, (_, slot) => write(slot)));
    await until(() => acknowledged.size > 100);
    daemon.kill('SIGTERM');
    const [status] = (await once(daemon, 'exit')) as [number];
    await load;
    await volume.close().catch(() => undefined);
    expect(status).toBe(0);
    const bytes = readFileSync(image);
    for (const block of acknowledged) expect(bytes[block * 4096]).toBe(1);
  });

  test('a second signal does not wait for what does not end', async () => {
    await using world = new DaemonWorld();
    const daemon = await world.foreground();
    await using client = await world.client();
    const device = await createDevice(client, 'stuck', 'mem:1M 0');
    const volume = await connectNbd(nbdUri(world, 'stuck'), { timeoutMs: 1000 });
    await client.suspend(device);
    const write = volume.write({ offsetBytes: 0, data: new Uint8Array(512) });
    write.catch(() => undefined);
    daemon.kill('SIGTERM');
    await until(async () => {
      const answer = await client.version().then(
        () => 'served',
        (error: unknown) => (error as { code: string }).code,
      );
      return answer !== 'served';
    });
    daemon.kill('SIGTERM');
    await once(daemon, 'exit');
    await volume.close().catch(() => undefined);
    expect((await world.run('daemon', 'start')).status).toBe(0);
  });
});

describe('what a daemon starts with', () => {
  test('--tab makes devices, and one that is wrong keeps it from starting', async () => {
    await using world = new DaemonWorld();
    world.image('a.img');
    const tab = join(world.root, 'tab');
    writeFileSync(
      tab,
      '# two devices\na,U-1,5,ro,0 2048 linear a.img 0\n\nb,,,,0 8 zero,8 8 error;c,,,,0 8 zero\n',
    );
    expect((await world.run('daemon', 'start', '--tab', 'tab')).status).toBe(0);
    await using client = await world.client();
    const status = await client.status({ name: 'a' });
    expect(status).toMatchObject({ uuid: 'U-1', number: { minor: 5 }, readOnly: true });
    expect((await client.list()).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect((await world.run('daemon', 'stop')).status).toBe(0);
    writeFileSync(tab, 'a,,,,0 8 zero\nb,,,,0 8 nonsense\n');
    const refused = await world.run('daemon', 'start', '--tab', 'tab');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/device b: .*nonsense/);
    expect((await world.run('daemon', 'status')).status).toBe(3);
  });

  test('sockets that systemd listens on', async () => {
    await using world = new DaemonWorld();
    // As systemd does it: it listens, waits for a client, and hands the descriptors over from 3 on.
    const path = join(world.root, 'activated');
    const listener = createServer();
    await new Promise<void>((resolve) => {
      listener.listen(`${path}.new`, resolve);
    });
    // Closing the listener here, so that it takes no clients, would delete the socket under its own name.
    renameSync(`${path}.new`, path);
    const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
    const script = 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=control exec "$0" "$@"';
    const child = world.spawn('/bin/sh', ['-c', script, process.execPath, program, 'daemon'], fd);
    listener.close();
    await once(child.stdout!, 'data');
    const client = new IoctlClient(await connectSocket({ path, directory: '/' }));
    expect(await client.version()).toEqual([4, 50, 0]);
    await client[Symbol.asyncDispose]();
    child.kill('SIGTERM');
    const [status] = (await once(child, 'exit')) as [number];
    expect(status).toBe(0);
    expect(existsSync(path)).toBe(true);
  });
});

describe('NBD exports follow the devices', () => {
  test('they appear, grow for who asks again, and vanish', async () => {
    await using world = new DaemonWorld();
    await world.run('daemon', 'start');
    await using client = await world.client();
    await expect(connectNbd(nbdUri(world, 'disk'), { timeoutMs: 1000 })).rejects.toThrow();
    const device = await createDevice(client, 'disk', 'mem:4M 0');
    {
      await using volume = await connectNbd(nbdUri(world, 'disk'));
      expect(volume.sizeBytes).toBe(1 << 20);
      await client.load(device, [{ start: 0, length: 4096, type: 'linear', params: 'mem:4M 0' }]);
      await client.resume(device);
      await using later = await connectNbd(nbdUri(world, 'disk'));
      expect(later.sizeBytes).toBe(2 << 20);
      await later.write({ offsetBytes: (2 << 20) - 512, data: new Uint8Array(512).fill(3) });
    }
    await until(async () => (await client.status(device)).openCount === 0);
    await client.rename(device, 'renamed');
    await expect(connectNbd(nbdUri(world, 'disk'), { timeoutMs: 1000 })).rejects.toThrow();
    await client.remove({ name: 'renamed' });
    await expect(connectNbd(nbdUri(world, 'renamed'), { timeoutMs: 1000 })).rejects.toThrow();
  });
});

test('the log has reasons, and no keys', async () => {
  await using world = new DaemonWorld();
  await world.run('daemon', 'start');
  await using client = await world.client();
  await client.create({ name: 'disk' });
  const key = '0123456789abcdef'.repeat(4);
  const row = { start: 0, length: 8, type: 'linear', params: `${key} 0` };
  await expect(client.load({ name: 'disk' }, [row])).rejects.toThrow();
  expect(world.log()).toContain('tableLoad');
  expect(world.log()).not.toContain(key);
});

requireTools('python3')('the client in the documentation', () => {
  test('lists devices and says why', async () => {
    const page = readFileSync(new URL('../../docs/control-protocol.md', import.meta.url), 'utf8');
    const [, code] = /^```python\n(.*?)^```/ms.exec(page)!;
    await using world = new DaemonWorld();
    await world.run('daemon', 'start');
    await using client = await world.client();
    await client.create({ name: 'disk', number: { major: 252, minor: 9 } });
    await client.create({ name: 'other' });
    const options = { env: world.environment(), encoding: 'utf8' } as const;
    const { stdout, stderr } = await promisify(execFile)(
      findTool('python3')!,
      ['-c', code!],
      options,
    );
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^disk 252:9\nother 252:0\nNo such device or address - .*missing.*\n$/);
  });
});
