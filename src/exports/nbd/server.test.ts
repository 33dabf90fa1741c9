import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { Op } from '../../core/bio.ts';
import { Command, NbdError, Option, OptionReply } from '../../protocols/nbd/constants.ts';
import { encodeOption } from '../../protocols/nbd/handshake.ts';
import { encodeInfoRequest } from '../../protocols/nbd/info.ts';
import { encodeRequest } from '../../protocols/nbd/request.ts';
import { NbdPeer } from '../../testing/nbd-peer.ts';
import { type TestDisk, TestDisks } from '../../testing/test-disk.ts';
import { fixedExports } from './exports.ts';
import { NbdServer, type NbdServerEvent, type NbdServerOptions } from './server.ts';
import type { NbdSession } from './session.ts';

let folder: string;
let disk: TestDisk;
let events: NbdServerEvent[];
let openCount: number;
const servers: NbdServer[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'devmapper-nbd-'));
  disk = new TestDisks().add('A', { sizeSectors: 64 });
  events = [];
  openCount = 0;
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close({ timeoutMs: 100 })));
  rmSync(folder, { recursive: true });
});

function createNbdServer(options: Partial<NbdServerOptions> = {}): NbdServer {
  const open = () => {
    openCount += 1;
    return () => {
      openCount -= 1;
    };
  };
  const item = { name: 'disk', description: '', device: disk, readOnly: false, open };
  const server = new NbdServer({
    exports: fixedExports([item]),
    onEvent: (event) => events.push(event),
    ...options,
  });
  servers.push(server);
  return server;
}

async function dial(path: string): Promise<NbdPeer> {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, 'connect');
  return new NbdPeer(socket);
}

/** A client in transmission. */
async function enter(path: string): Promise<NbdPeer> {
  const peer = await dial(path);
  await peer.greet();
  expect((await peer.go()).at(-1)?.type).toBe(OptionReply.ack);
  return peer;
}

describe('a Unix socket', () => {
  test('is for its owner alone, in a folder for its owner alone, and gone at the end', async () => {
    const path = join(folder, 'new', 'deeper', 'nbd.sock');
    const server = createNbdServer();
    await server.listenUnix(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'new', 'deeper')).mode & 0o777).toBe(0o700);
    const peer = await enter(path);
    peer.request({ lengthBytes: 512 });
    await peer.reply(512);
    expect(await server.close()).toBe(true);
    expect(existsSync(path)).toBe(false);
  });

  test('an existing folder keeps its mode', async () => {
    const path = join(folder, 'open');
    mkdirSync(path, { mode: 0o755 });
    await createNbdServer().listenUnix(join(path, 'nbd.sock'));
    expect(statSync(path).mode & 0o777).toBe(0o755);
  });

  test('nobody answers on is replaced', async () => {
    const path = join(folder, 'nbd.sock');
    await leaveStaleSocket(path);
    expect(statSync(path).isSocket()).toBe(true);
    await createNbdServer().listenUnix(path);
    await enter(path);
  });

  test('somebody answers on is left alone', async () => {
    const path = join(folder, 'nbd.sock');
    await createNbdServer().listenUnix(path);
    await expect(createNbdServer().listenUnix(path)).rejects.toMatchObject({
      code: 'EBUSY',
      message: `Cannot listen on ${path}: another server answers there`,
    });
    await enter(path);
  });

  test('a file in its place is left alone', async () => {
    const path = join(folder, 'precious');
    writeFileSync(path, 'data');
    await expect(createNbdServer().listenUnix(path)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(statSync(path).isFile()).toBe(true);
  });

  test('a path too long for the system is refused with its limit', async () => {
    const path = join(folder, 'x'.repeat(120));
    await expect(createNbdServer().listenUnix(path)).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(/at most 107 bytes, got \d+/) as string,
    });
  });
});

/** What a server that was killed leaves behind. */
async function leaveStaleSocket(path: string): Promise<void> {
  const server = createServer();
  server.listen({ path: `${path}.other` });
  await once(server, 'listening');
  linkSync(`${path}.other`, path);
  server.close();
  await once(server, 'close');
}

describe('TCP', () => {
  test('on loopback needs no TLS', async () => {
    const port = await createNbdServer().listenTcp({ host: '127.0.0.1', port: 0 });
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const peer = new NbdPeer(socket);
    await peer.greet();
    await peer.go();
    peer.request({ lengthBytes: 512 });
    await peer.reply(512);
  });

  test.each(['0.0.0.0', '::', '192.0.2.1', '127.example.org'])(
    'on %s is refused without it',
    async (host) => {
      await expect(createNbdServer().listenTcp({ host, port: 0 })).rejects.toMatchObject({
        code: 'EPERM',
        message: `Cannot listen on ${host}:0: others can reach it and TLS is not required`,
      });
    },
  );

  test('on any address when told that it is all right', async () => {
    const port = await createNbdServer().listenTcp({ host: '0.0.0.0', port: 0, insecure: true });
    expect(port).toBeGreaterThan(0);
  });

  test('on a port in use is refused', async () => {
    const port = await createNbdServer().listenTcp({ host: '127.0.0.1', port: 0 });
    const again = createNbdServer().listenTcp({ host: '127.0.0.1', port });
    await expect(again).rejects.toMatchObject({ code: 'EBUSY' });
  });
});

describe('limits', () => {
  test('clients beyond the limit are hung up on, and there is room again when one leaves', async () => {
    const path = join(folder, 'nbd.sock');
    const server = createNbdServer({ limits: { maxConnectionCount: 2 } });
    await server.listenUnix(path);
    const first = await enter(path);
    await enter(path);
    expect(await (await dial(path)).hangUp()).toBe(0);
    expect(events.at(-1)).toMatchObject({ kind: 'refused' });
    first.request({ command: Command.disconnect });
    await first.hangUp();
    first.stream.end();
    await expect.poll(() => server.status().connections.length).toBe(1);
    await enter(path);
  });

  test('a handshake that takes too long ends', async () => {
    const path = join(folder, 'nbd.sock');
    await createNbdServer({ limits: { handshakeTimeoutMs: 50 } }).listenUnix(path);
    const peer = await dial(path);
    await peer.greet();
    await peer.hangUp();
    await expect.poll(() => events.at(-1)).toMatchObject({ reason: 'the handshake took too long' });
  });

  test('transmission may take as long as it likes', async () => {
    const path = join(folder, 'nbd.sock');
    await createNbdServer({ limits: { handshakeTimeoutMs: 50 } }).listenUnix(path);
    const peer = await enter(path);
    await new Promise((resolve) => setTimeout(resolve, 100));
    peer.request({ lengthBytes: 512 });
    await peer.reply(512);
  });

  test('a client that asks and never reads the answers is not answered without end', async () => {
    const many = Array.from({ length: 2000 }, (_, index) => ({
      name: `export ${index} ${'x'.repeat(200)}`,
      description: '',
      device: disk,
      readOnly: false,
      open: () => () => {},
    }));
    const limits = { maxOptionCount: 10_000 };
    const server = createNbdServer({ exports: fixedExports(many), limits });
    const [near, far] = duplexPair();
    server.serve(near, 'test');
    const peer = new NbdPeer(far);
    await peer.greet();
    far.pause();
    for (let count = 0; count < 1000; count += 1) peer.write(encodeOption(Option.list));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(near.writableLength).toBeLessThan(2 ** 20);
    far.destroy();
  });
});

describe('closing', () => {
  test('requests under way finish, later ones are refused, what was written is flushed', async () => {
    const path = join(folder, 'nbd.sock');
    const server = createNbdServer();
    await server.listenUnix(path);
    const peer = await enter(path);
    const waiting: (() => void)[] = [];
    disk.answer = (finish, bio) => (bio.isWrite ? waiting.push(finish) : finish());
    peer.request({ command: Command.write, cookieLow: 1 }, Buffer.alloc(512, 7));
    await expect.poll(() => waiting.length).toBe(1);
    const closed = server.close();
    expect(server.status().connections).toMatchObject([
      { phase: 'transmission', exportName: 'disk', underWay: [{ command: 'write' }] },
    ]);
    peer.request({ cookieLow: 2, lengthBytes: 512 });
    expect(await peer.reply(512)).toMatchObject({ cookieLow: 2, error: NbdError.ESHUTDOWN });
    disk.answer = (finish) => finish();
    waiting[0]!();
    expect(await peer.reply()).toMatchObject({ cookieLow: 1, error: 0 });
    await peer.hangUp();
    peer.stream.end();
    expect(await closed).toBe(true);
    expect(disk.recorded.map(({ op }) => op)).toEqual(['write', 'flush']);
    expect(openCount).toBe(0);
    await expect(dial(path)).rejects.toThrow();
  });

  test('a last flush that fails is told', async () => {
    const server = createNbdServer();
    await server.listenUnix(join(folder, 'nbd.sock'));
    disk.failure = (bio) => (bio.op === Op.flush ? Errno.EIO : 0);
    await expect(server.close()).rejects.toThrow(/Cannot flush disk: what clients wrote last/);
    disk.failure = () => 0;
  });

  test('a disk that does not answer is given up, and status says what was waited for', async () => {
    const path = join(folder, 'nbd.sock');
    const server = createNbdServer();
    await server.listenUnix(path);
    const peer = await enter(path);
    const waiting: (() => void)[] = [];
    disk.answer = (finish) => waiting.push(finish);
    peer.request({ command: Command.write, offsetBytes: 1024 }, Buffer.alloc(512));
    await expect.poll(() => waiting.length).toBe(1);
    expect(await server.close({ timeoutMs: 50 })).toBe(false);
    expect(server.status().connections).toMatchObject([
      { underWay: [{ command: 'write', offsetBytes: 1024, lengthBytes: 512 }] },
    ]);
    disk.answer = (finish) => finish();
    for (const finish of waiting) finish();
    await expect.poll(() => openCount).toBe(0);
  });

  test('a client in its handshake is told', async () => {
    const path = join(folder, 'nbd.sock');
    const server = createNbdServer();
    await server.listenUnix(path);
    const busy = await enter(path);
    const waiting: (() => void)[] = [];
    disk.answer = (finish) => waiting.push(finish);
    busy.request({ lengthBytes: 512 });
    await expect.poll(() => waiting.length).toBe(1);
    const peer = await dial(path);
    await peer.greet();
    const closed = server.close();
    expect((await peer.go())[0]?.type).toBe(OptionReply.errShutdown);
    disk.answer = (finish) => finish();
    waiting[0]!();
    await busy.reply(512);
    busy.stream.end();
    expect(await closed).toBe(true);
    await peer.hangUp();
  });
});

test('a request that comes together with GO is answered', async () => {
  const path = join(folder, 'nbd.sock');
  await createNbdServer().listenUnix(path);
  const peer = await dial(path);
  await peer.greet();
  const request = Buffer.alloc(28);
  const fields = { flags: 0, command: 0, cookieHigh: 0, cookieLow: 5, offsetBytes: 0 };
  encodeRequest(request, 0, { ...fields, lengthBytes: 512 });
  const go = encodeOption(Option.go, encodeInfoRequest({ exportName: '', infos: [] }));
  peer.write(Buffer.concat([go, request]));
  await peer.optionReplies(Option.go);
  expect(await peer.reply(512)).toMatchObject({ cookieLow: 5, error: 0 });
});

describe('the hook of the data plane', () => {
  test('gets socket, session and leftover, and is waited for', async () => {
    const path = join(folder, 'nbd.sock');
    const adopted: { socket: Socket; leftover: Uint8Array; session: NbdSession }[] = [];
    const server = createNbdServer({
      adopt(socket, leftover, session) {
        adopted.push({ socket, leftover, session });
        return true;
      },
    });
    await server.listenUnix(path);
    const peer = await enter(path);
    await expect.poll(() => adopted.length).toBe(1);
    expect(server.status().connections).toMatchObject([{ phase: 'adopted', exportName: 'disk' }]);
    const { socket, session } = adopted[0]!;
    expect(socket.listenerCount('data')).toBe(0);
    peer.request({ lengthBytes: 512 });
    const received: Uint8Array[] = [];
    socket.on('data', (chunk: Uint8Array) => received.push(chunk));
    socket.resume();
    await expect.poll(() => Buffer.concat(received).length).toBe(28);
    expect(await server.close({ timeoutMs: 20 })).toBe(false);
    socket.destroy();
    session.release();
    expect(openCount).toBe(0);
    await expect.poll(() => server.status().connections).toEqual([]);
  });

  test('may decline', async () => {
    const path = join(folder, 'nbd.sock');
    await createNbdServer({ adopt: () => false }).listenUnix(path);
    const peer = await enter(path);
    peer.request({ lengthBytes: 512 });
    await peer.reply(512);
  });
});

test('a client that vanishes in its handshake is forgotten', async () => {
  const path = join(folder, 'nbd.sock');
  const server = createNbdServer();
  await server.listenUnix(path);
  (await dial(path)).stream.destroy();
  await expect.poll(() => events.length).toBe(2);
  expect(server.status().connections).toEqual([]);
});

test.each(['end', 'destroy'] as const)(
  'a client that gives up TLS by %s is forgotten',
  async (how) => {
    const path = join(folder, 'nbd.sock');
    const server = createNbdServer({ tls: { psk: new Map([['user', Buffer.alloc(32, 1)]]) } });
    await server.listenUnix(path);
    const peer = await dial(path);
    await peer.greet();
    expect((await peer.option(Option.starttls))[0]?.type).toBe(OptionReply.ack);
    await expect.poll(() => server.status().connections[0]?.phase).toBe('tls');
    peer.stream[how]();
    await expect.poll(() => server.status().connections).toEqual([]);
    expect(events.at(-1)).toMatchObject({ kind: 'disconnected', exportName: null });
  },
);

test('TLS keys that do not work are refused at once', () => {
  const certificate = { certificate: 'none', key: 'none' };
  expect(() => createNbdServer({ tls: { certificate } })).toThrow(/^Cannot use TLS keys: /);
  expect(() => createNbdServer({ tls: {} })).toThrow('expected a certificate or pre-shared keys');
});
