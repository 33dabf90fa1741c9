import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { FrameReader } from '../protocol/frame-reader.ts';
import {
  type ControlReply,
  type ControlRequest,
  encodeRequest,
  FRAME_MAGIC,
  MAX_BUFFER_BYTES,
  replyShape,
} from '../protocol/frames.ts';
import { ControlServer, type ControlServerOptions } from './server.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Handle = (request: ControlRequest, signal: AbortSignal) => Promise<ControlReply>;

const echo: Handle = (request) =>
  Promise.resolve({ errno: 0, buffer: request.buffer.slice(), reason: '' });

/** Ends when it is interrupted. */
const waitForAbort: Handle = (_request, signal) =>
  new Promise((resolve) => {
    const end = () => resolve({ errno: 4, buffer: new Uint8Array(0), reason: 'interrupted' });
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });

async function serve(handle: Handle, options: Partial<ControlServerOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'devmapper-control-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'inner', 'control');
  const counts = { open: 0, busy: 0 };
  const troubles: string[] = [];
  const server = new ControlServer({
    connect: () => {
      counts.open += 1;
      return {
        handle: async (request, signal) => {
          counts.busy += 1;
          try {
            return await handle(request, signal);
          } finally {
            counts.busy -= 1;
          }
        },
        closed: () => {
          counts.open -= 1;
        },
      };
    },
    onTrouble: (reason) => troubles.push(reason),
    ...options,
  });
  await server.listenUnix(path);
  cleanups.push(() => server.close({ timeoutMs: 100 }));
  return { server, path, counts, troubles };
}

async function open(path: string): Promise<Socket> {
  const socket = connect({ path });
  socket.on('error', () => undefined);
  cleanups.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

function bytesOf(buffer: Uint8Array | string, directory = ''): Buffer {
  const request = { ioctl: 5, wantsReason: true, directory, buffer: Buffer.from(buffer) };
  return Buffer.concat(encodeRequest(request));
}

/** Replies in their order, until the other side closes. */
async function* replies(socket: Socket): AsyncGenerator<ControlReply> {
  const reader = new FrameReader(replyShape);
  for await (const chunk of socket) {
    for (let rest = chunk as Buffer; rest.length > 0; ) {
      const { frame, takenBytes } = reader.read(rest);
      rest = rest.subarray(takenBytes);
      if (frame) yield frame;
    }
  }
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function reply(socket: Socket): Promise<string> {
  for await (const { buffer } of replies(socket)) return Buffer.from(buffer).toString();
  throw new Error('the server closed the connection');
}

test('the socket is its owner’s alone, and so is a folder that is made for it', async () => {
  const { path } = await serve(echo);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
});

test('many clients at once each get their own answers, in order', async () => {
  const { path, server, counts } = await serve(echo);
  const talks = Array.from({ length: 40 }, async (_, client) => {
    const socket = await open(path);
    const got: string[] = [];
    const texts = Array.from({ length: 5 }, (_unused, index) => `${client}.${index}`);
    socket.write(Buffer.concat(texts.map((text) => bytesOf(text))));
    for await (const { buffer } of replies(socket)) {
      got.push(Buffer.from(buffer).toString());
      if (got.length === texts.length) break;
    }
    expect(got).toEqual(texts);
  });
  await Promise.all(talks);
  await vi.waitFor(() => expect([server.connectionCount, counts.open]).toEqual([0, 0]));
});

test('a request that comes byte by byte is one request', async () => {
  const { path } = await serve(echo);
  const socket = await open(path);
  socket.setNoDelay(true);
  for (const byte of bytesOf('slow', '/tmp')) socket.write(Buffer.of(byte));
  expect(await reply(socket)).toBe('slow');
});

test('closing the connection interrupts its request and leaves nothing', async () => {
  const { path, server, counts } = await serve(waitForAbort);
  const sockets = await Promise.all(Array.from({ length: 10 }, () => open(path)));
  for (const socket of sockets) socket.write(bytesOf(''));
  await vi.waitFor(() => expect(server.busyCount).toBe(10));
  for (const socket of sockets) socket.destroy();
  await vi.waitFor(() => expect(server.connectionCount).toBe(0));
  expect(counts).toEqual({ open: 0, busy: 0 });
});

test('a client that closes only its sending half gets its answer', async () => {
  const { path } = await serve(waitForAbort);
  const socket = await open(path);
  socket.end(bytesOf(''));
  const [answer] = await all(replies(socket));
  expect(answer).toMatchObject({ errno: 4, reason: 'interrupted' });
});

test('a handler that throws is an errno, and the connection goes on', async () => {
  const { path } = await serve(() => Promise.reject(new Error('broken')));
  const socket = await open(path);
  socket.write(Buffer.concat([bytesOf('1'), bytesOf('2')]));
  let count = 0;
  for await (const answer of replies(socket)) {
    expect(answer).toMatchObject({ errno: 5, reason: 'broken' });
    count += 1;
    if (count === 2) break;
  }
});

test('reasons go only to those who want them', async () => {
  const { path } = await serve(() =>
    Promise.resolve({ errno: 22, buffer: new Uint8Array(0), reason: 'words' }),
  );
  const socket = await open(path);
  const request = { ioctl: 5, wantsReason: false, directory: '', buffer: new Uint8Array(0) };
  socket.write(Buffer.concat(encodeRequest(request)));
  for await (const answer of replies(socket)) {
    expect(answer).toMatchObject({ errno: 22, reason: '' });
    break;
  }
});

const hostile: [what: string, words: number[], reason: RegExp][] = [
  ['garbage', [1, 2, 3, 4, 5, 6], /magic/],
  ['a length of its own', [FRAME_MAGIC, 99, 0, 0, 0, 0], /frame length/],
  ['too much', [FRAME_MAGIC, MAX_BUFFER_BYTES + 25, 0, 0, 0, MAX_BUFFER_BYTES + 1], /at most/],
];

test.each(hostile)('a client that sends %s is told and hung up on', async (_, words, reason) => {
  const { path, server, troubles } = await serve(echo);
  const socket = await open(path);
  const bytes = Buffer.alloc(24);
  for (const [index, word] of words.entries()) bytes.writeUInt32LE(word, index * 4);
  socket.write(Buffer.concat([bytes, Buffer.alloc(100_000)]));
  const [answer] = await all(replies(socket));
  expect(answer!.errno).toBe(71);
  expect(answer!.reason).toMatch(reason);
  await vi.waitFor(() => expect(server.connectionCount).toBe(0));
  expect(troubles.join()).toMatch(reason);
});

test('half a request is waited for, but not for ever', async () => {
  const { path, server, troubles } = await serve(echo, { limits: { stallMs: 50 } });
  const socket = await open(path);
  socket.write(bytesOf('half').subarray(0, 20));
  socket.resume();
  await once(socket, 'close');
  await vi.waitFor(() => expect(server.connectionCount).toBe(0));
  expect(troubles).toEqual(['client hung up on: half a request for 50 ms']);
});

test('an idle client stays', async () => {
  const { path, server } = await serve(echo, { limits: { stallMs: 20 } });
  const socket = await open(path);
  socket.write(bytesOf('first'));
  expect(await reply(socket)).toBe('first');
  const second = await open(path);
  await new Promise((resolve) => {
    setTimeout(resolve, 80);
  });
  second.write(bytesOf('later'));
  expect(await reply(second)).toBe('later');
  expect(server.connectionCount).toBeLessThanOrEqual(2);
});

test('a client that takes no reply is hung up on', async () => {
  const large: Handle = () =>
    Promise.resolve({ errno: 0, buffer: new Uint8Array(8 * 1024 * 1024), reason: '' });
  const { path, server, counts } = await serve(large, { limits: { stallMs: 100 } });
  const socket = await open(path);
  socket.pause();
  socket.write(bytesOf(''));
  await vi.waitFor(() => expect(counts.open).toBe(1));
  await vi.waitFor(() => expect(server.connectionCount).toBe(0), { timeout: 3000 });
  expect(counts).toEqual({ open: 0, busy: 0 });
});

test('a flood while a request is under way ends the connection', async () => {
  const { path, server, counts, troubles } = await serve(waitForAbort);
  const socket = await open(path);
  socket.write(bytesOf(''));
  await vi.waitFor(() => expect(server.busyCount).toBe(1));
  for (let index = 0; index < 100; index += 1) socket.write(Buffer.alloc(64 * 1024));
  await vi.waitFor(() => expect(server.connectionCount).toBe(0));
  expect(counts).toEqual({ open: 0, busy: 0 });
  expect(troubles.join()).toContain('did not wait for a reply');
});

test('all clients together get so much memory, and small requests always', async () => {
  const { path } = await serve(waitForAbort, { limits: { maxTotalBytes: 1024 * 1024 } });
  const [greedy, modest] = [await open(path), await open(path)];
  greedy.write(bytesOf(new Uint8Array(2 * 1024 * 1024)));
  const [answer] = await all(replies(greedy));
  expect(answer).toMatchObject({ errno: 12 });
  modest.end(bytesOf('x'));
  const [served] = await all(replies(modest));
  expect(served).toMatchObject({ errno: 4 });
});

test('more clients than there may be are refused', async () => {
  const { path, troubles } = await serve(echo, { limits: { maxConnectionCount: 2 } });
  const first = await open(path);
  await open(path);
  const third = await open(path);
  third.resume();
  await once(third, 'close');
  first.write(bytesOf('still'));
  expect(await reply(first)).toBe('still');
  expect(troubles.join()).toContain('2 clients are connected already');
});

test('requests and replies are overwritten when they are done', async () => {
  const seen: Uint8Array[] = [];
  const { path } = await serve((request) => {
    const answer = request.buffer.slice();
    seen.push(request.buffer, answer);
    return Promise.resolve({ errno: 0, buffer: answer, reason: '' });
  });
  const socket = await open(path);
  socket.write(bytesOf('secret'));
  expect(await reply(socket)).toBe('secret');
  await vi.waitFor(() =>
    expect(seen.map((bytes) => bytes.some((byte) => byte !== 0))).toEqual([false, false]),
  );
});

test('closing interrupts what waits, answers it, and lets nobody in', async () => {
  const { path, server, counts } = await serve(waitForAbort);
  const [waiting, idle] = [await open(path), await open(path)];
  waiting.write(bytesOf(''));
  idle.resume();
  await vi.waitFor(() => expect(server.busyCount).toBe(1));
  expect(await server.close()).toBe(true);
  const [answer] = await all(replies(waiting));
  expect(answer).toMatchObject({ errno: 4 });
  expect(counts).toEqual({ open: 0, busy: 0 });
  await expect(open(path)).rejects.toThrow(/ENOENT|ECONNREFUSED/);
});

test('closing does not wait for ever', async () => {
  const { path, server } = await serve(() => new Promise(() => undefined));
  const socket = await open(path);
  socket.write(bytesOf(''));
  await vi.waitFor(() => expect(server.busyCount).toBe(1));
  expect(await server.close({ timeoutMs: 20 })).toBe(false);
});

test('a stale socket is replaced, a live one is not', async () => {
  const { path, server } = await serve(echo);
  const second = new ControlServer({ connect: () => ({ handle: echo, closed: () => undefined }) });
  await expect(second.listenUnix(path)).rejects.toThrow(/another server answers there/);
  expect(server.connectionCount).toBeLessThanOrEqual(1);
});
