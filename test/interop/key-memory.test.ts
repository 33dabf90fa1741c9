/**
 * No key stays in the daemon: all of its memory is searched, as whoever gets a core dump or the swap would. A second key, which a device still
 * has, shows that the search finds what is there.
 */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { DmClient } from '../../src/control/client/dm-client.ts';
import { describeUnless } from '../../src/testing/tools.ts';
import { DaemonWorld, program, until } from './daemon-rig.ts';
import { NbdClient } from './nbd-client.ts';

const obstacle = process.platform === 'linux' ? null : 'needs /proc';
const SECTORS = 2048;

/** Bytes that are nowhere by chance, and in no other key. */
function keyOf(number: number): Buffer {
  return createHash('sha512').update(`key ${number}`).digest();
}

/** One that writes a snapshot of its heap beside its state when it gets SIGUSR2. */
async function startDaemon(world: DaemonWorld): Promise<void> {
  const options = [`--heapsnapshot-signal=SIGUSR2`, `--diagnostic-dir=${world.root}`];
  const child = world.spawn(process.execPath, [...options, program, 'daemon']);
  await once(child.stdout!, 'data');
}

/** How often 16 bytes out of the middle of the key are in the process's memory, raw or in hex. */
function findKey(pid: number, key: Buffer): string[] {
  const needles: [string, Buffer][] = [
    ['raw', key.subarray(24, 40)],
    ['raw, in its first half', key.subarray(4, 20)],
    ['hex', Buffer.from(key.toString('hex').slice(40, 72))],
    ['hex of two bytes', Buffer.from(key.toString('hex').slice(40, 72), 'utf16le')],
  ];
  const found: string[] = [];
  const fd = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').trimEnd().split('\n')) {
      const [, from = '', to = '', access = ''] = /^(\w+)-(\w+) (\S+)/.exec(line) ?? [];
      if (!access.startsWith('rw')) continue;
      const bytes = readMemory(fd, Number(`0x${from}`), Number(`0x${to}`));
      for (const [name, needle] of needles) {
        for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) {
          const around = bytes.subarray(Math.max(0, at - 120), at + 100).toString('latin1');
          found.push(`${name} in ${line}: ${JSON.stringify(around)}`);
        }
      }
    }
  } finally {
    closeSync(fd);
  }
  return found;
}

/** What cannot be read (device memory, pages that went meanwhile) has no key. */
function readMemory(fd: number, start: number, end: number): Buffer {
  const pieces: Buffer[] = [];
  const pieceBytes = 1 << 24;
  for (let at = start; at < end; at += pieceBytes) {
    const piece = Buffer.allocUnsafe(Math.min(pieceBytes, end - at));
    try {
      pieces.push(piece.subarray(0, readSync(fd, piece, 0, piece.length, at)));
    } catch {
      return Buffer.concat(pieces);
    }
  }
  return Buffer.concat(pieces);
}

describeUnless(obstacle)('keys in the daemon', { timeout: 120_000 }, () => {
  let world: DaemonWorld;
  let client: DmClient;
  let image: string;
  beforeEach(async () => {
    world = new DaemonWorld();
    image = world.image('disk', SECTORS * 512);
    await startDaemon(world);
    client = await world.client();
  });
  afterEach(async () => {
    await client[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  const line = (key: string) => `aes-xts-plain64 ${key} 0 ${image} 0`;

  async function create(name: string, key: string): Promise<void> {
    await client.create({ name });
    await client.load({ name }, [{ start: 0, length: SECTORS, type: 'crypt', params: line(key) }], {
      secureData: true,
    });
    await client.resume({ name });
  }

  test('one in hex, shown, set and wiped, is gone with the device', async () => {
    const [first, second, kept] = [keyOf(1), keyOf(2), keyOf(3)];
    await create('one', first.toString('hex'));
    await create('kept', kept.toString('hex'));
    const shown = await client.table({ name: 'one' }, { kind: 'table', secureData: true });
    expect(shown.rows[0]!.params).toContain(first.toString('hex'));
    await client.suspend({ name: 'one' });
    await client.message({ name: 'one' }, 0, 'key wipe');
    await client.message({ name: 'one' }, 0, `key set ${second.toString('hex')}`);
    await client.resume({ name: 'one' });
    await expect(client.message({ name: 'one' }, 0, 'key wipe')).rejects.toThrow(/not suspended/);
    await client.remove({ name: 'one' });
    const pid = world.pid()!;
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/Max core file size +0 +0 /);
    expect(findKey(pid, first)).toEqual([]);
    expect(findKey(pid, second)).toEqual([]);
    expect(findKey(pid, kept)).not.toEqual([]);
  });

  test('refused lines and messages leave none', async () => {
    const [first, second] = [keyOf(4), keyOf(5)];
    await client.create({ name: 'one' });
    const bad = `${line(first.toString('hex'))} 1 nosuch`;
    const rows = [{ start: 0, length: SECTORS, type: 'crypt', params: bad }];
    await expect(client.load({ name: 'one' }, rows)).rejects.toThrow(/Invalid feature arguments/);
    await expect(
      client.message({ name: 'one' }, 0, `key set ${second.toString('hex')}`),
    ).rejects.toThrow();
    const pid = world.pid()!;
    expect([...findKey(pid, first), ...findKey(pid, second)]).toEqual([]);
  });

  test('one of the keyring is gone with the device and its place there', async () => {
    const [key, once] = [keyOf(6), keyOf(7)];
    await client.daemon('key-add', { description: 'test:a', payload: key });
    await client.daemon('key-add', { description: 'test:b', payload: once, once: true });
    await create('a', ':64:logon:test:a');
    await create('b', ':64:logon:test:b');
    expect(await client.daemon('key-list')).toEqual([{ description: 'test:a', lengthBytes: 64 }]);
    const pid = world.pid()!;
    expect(findKey(pid, key)).not.toEqual([]);
    await client.daemon('key-remove', { description: 'test:a' });
    await client.remove({ name: 'a' });
    await client.remove({ name: 'b' });
    expect([...findKey(pid, key), ...findKey(pid, once)]).toEqual([]);
  });

  test('one of a LUKS volume is gone when it is wiped under a client, and when it is closed', async () => {
    const key = keyOf(8);
    const [volume, passphrase, keyFile] = ['volume', 'passphrase', 'key'].map((name) =>
      join(world.root, name),
    ) as [string, string, string];
    writeFileSync(volume, '');
    truncateSync(volume, 24 << 20);
    writeFileSync(passphrase, 'known to all');
    writeFileSync(keyFile, key);
    const cheap = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
    const run = async (...words: string[]) =>
      expect(await world.run(...words)).toMatchObject({ status: 0, stderr: '' });
    await run('luks', 'format', '-q', ...cheap, '--volume-key-file', keyFile, volume, passphrase);
    await run('luks', 'open', '--key-file', passphrase, volume, 'secret');
    const nbd = await NbdClient.connect({
      address: { path: join(world.folder, 'nbd.sock') },
      exportName: 'secret',
    });
    const data = Buffer.alloc(1 << 20, 'plain text');
    await nbd.write(0, data);
    expect(data.equals((await nbd.read(0, data.length)).data)).toBe(true);
    const pid = world.pid()!;
    expect(findKey(pid, key)).not.toEqual([]);

    await client.suspend({ name: 'secret' });
    await client.message({ name: 'secret' }, 0, 'key wipe');
    await until(() => findKey(pid, key).length === 0);
    await client.message({ name: 'secret' }, 0, `key set ${key.toString('hex')}`);
    await client.resume({ name: 'secret' });
    expect(data.equals((await nbd.read(0, data.length)).data)).toBe(true);
    expect(findKey(pid, key)).not.toEqual([]);

    await nbd.disconnect();
    await run('luks', 'close', 'secret');
    expect(findKey(pid, key)).toEqual([]);
    // Strings of V8 that are scattered over its heap.
    process.kill(pid, 'SIGUSR2');
    const snapshot = await heapSnapshot(world.root);
    expect(snapshot).toContain('/control/server/connection.js');
    expect(snapshot).not.toContain(key.toString('hex').slice(40, 72));
    expect(snapshot).not.toContain(key.toString('base64').slice(20, 40));
  });
});

/** What the daemon writes there, once all of it is written. */
async function heapSnapshot(folder: string): Promise<string> {
  for (;;) {
    const name = readdirSync(folder).find((each) => each.endsWith('.heapsnapshot'));
    const text = name === undefined ? '' : readFileSync(join(folder, name), 'utf8');
    if (text.endsWith('}\n') || text.endsWith(']}')) return text;
    await sleep(systemClock, 50);
  }
}
