import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AssertionError } from '../base/assert.ts';
import { Errno } from '../base/errors.ts';
import { loadSystem, type System } from './index.ts';
import { IoVector } from './io-vector.ts';
import { PinnedBuffer } from './pinned-buffer.ts';
import { MessageFlag } from './socket-calls.ts';

const system = loadSystem();
if (system) describe('socket calls', () => socketTests(system));
else it('has no socket calls without koffi', () => expect(system).toBeNull());

/** The descriptor under a net.Socket, which Node keeps to itself. */
function fdOf(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}

function text(buffer: PinnedBuffer, lengthBytes: number): string {
  return Buffer.from(buffer.bytes.subarray(0, lengthBytes)).toString();
}

function socketTests({ sockets, descriptors }: System): void {
  let left = -1;
  let right = -1;
  const out = PinnedBuffer.wrap(new TextEncoder().encode('hello, world'));
  const into = PinnedBuffer.allocate(1 << 20, { shared: true });

  beforeEach(() => {
    const pair = sockets.createPair();
    if (typeof pair === 'number') throw new Error(`socketpair failed: ${pair}`);
    [left, right] = pair;
  });
  afterEach(() => {
    descriptors.close(left);
    descriptors.close(right);
  });

  it('tells whether the other side has read everything', () => {
    expect(sockets.unreadBytes(left)).toBe(0);
    sockets.send(left, out, 0, out.lengthBytes, MessageFlag.none);
    expect(sockets.unreadBytes(left)).toBeGreaterThan(0);
    sockets.recv(right, into, 0, 5, MessageFlag.none);
    expect(sockets.unreadBytes(left)).toBeGreaterThan(0);
    sockets.recv(right, into, 0, 100, MessageFlag.none);
    expect(sockets.unreadBytes(left)).toBe(0);
  });

  it('sends and receives parts of buffers', () => {
    expect(sockets.send(left, out, 7, 5, MessageFlag.none)).toBe(5);
    expect(sockets.recv(right, into, 2, 100, MessageFlag.none)).toBe(5);
    expect(Buffer.from(into.bytes.subarray(2, 7)).toString()).toBe('world');
  });

  it('answers -EAGAIN instead of waiting', () => {
    expect(sockets.recv(right, into, 0, 1, MessageFlag.dontWait)).toBe(-Errno.EAGAIN);
    const flags = MessageFlag.dontWait | MessageFlag.more;
    let sentBytes = 0;
    let count = 0;
    while (count >= 0) {
      sentBytes += count;
      count = sockets.send(left, into, 0, 1 << 16, flags);
    }
    expect(count).toBe(-Errno.EAGAIN);
    expect(sentBytes).toBeGreaterThan(1 << 16);
    expect(descriptors.waitWritable(left, 0)).toBe(0);
  });

  it('peeks', () => {
    sockets.send(left, out, 0, 5, MessageFlag.none);
    expect(sockets.recv(right, into, 0, 9, MessageFlag.peek)).toBe(5);
    expect(sockets.recv(right, into, 0, 9, MessageFlag.none)).toBe(5);
  });

  it('gathers pieces and carries on after a short count', () => {
    sockets.setSendBuffer(left, 4096);
    const large = PinnedBuffer.allocate(100_000);
    large.bytes.fill(7);
    const vector = new IoVector();
    vector.append(out, 0, 5);
    vector.append(large, 0, 100_000);
    vector.append(out, 7, 5);
    const received: Buffer[] = [];
    while (vector.totalBytes > 0) {
      const count = sockets.sendVector(left, vector, MessageFlag.dontWait);
      if (count >= 0) vector.consume(count);
      else {
        expect(count).toBe(-Errno.EAGAIN);
        const receivedBytes = sockets.recv(right, into, 0, 4096, MessageFlag.none);
        received.push(Buffer.from(into.bytes.slice(0, receivedBytes)));
      }
    }
    sockets.shutdown(left, 'write');
    for (;;) {
      const count = sockets.recv(right, into, 0, 65536, MessageFlag.none);
      if (count === 0) break;
      received.push(Buffer.from(into.bytes.slice(0, count)));
    }
    const all = Buffer.concat(received);
    expect(received.length).toBeGreaterThan(2);
    expect(all.length).toBe(100_010);
    expect(all.subarray(0, 5).toString() + all.subarray(-5).toString()).toBe('helloworld');
  });

  it('is refused with -EPIPE, not a signal, when the peer is gone', () => {
    descriptors.close(right);
    expect(sockets.send(left, out, 0, 5, MessageFlag.none)).toBe(-Errno.EPIPE);
    const vector = new IoVector();
    vector.append(out, 0, 5);
    expect(sockets.sendVector(left, vector, MessageFlag.none)).toBe(-Errno.EPIPE);
    right = descriptors.duplicate(left);
  });

  it('sends a part of a file', () => {
    const path = join(tmpdir(), `devmapper-sendfile-${process.pid}`);
    writeFileSync(path, 'header and body');
    const file = openSync(path, 'r');
    expect(sockets.send(left, out, 0, 7, MessageFlag.more)).toBe(7);
    expect(sockets.sendFile(left, file, 11, 4)).toBe(4);
    expect(sockets.sendFile(left, file, 15, 4)).toBe(0);
    expect(sockets.recv(right, into, 0, 11, MessageFlag.waitAll)).toBe(11);
    expect(text(into, 11)).toBe('hello, body');
    closeSync(file);
    rmSync(path);
  });

  it('knows who is on the other side', () => {
    expect(sockets.peerUid(left)).toBe(process.getuid!());
  });

  it('sets options on TCP', async () => {
    const server: Server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as { port: number }).port, '127.0.0.1');
    await once(client, 'connect');
    expect(sockets.setNoDelay(fdOf(client), true)).toBe(0);
    expect(sockets.setSendBuffer(fdOf(client), 1 << 20)).toBe(0);
    expect(sockets.setReceiveBuffer(fdOf(client), 1 << 20)).toBe(0);
    client.destroy();
    server.close();
    expect(sockets.setNoDelay(left, true)).toBe(-Errno.ENOTSUP);
  });

  it('never passes on what is outside the buffer or no descriptor', () => {
    const { length } = out.bytes;
    expect(() => sockets.recv(-1, into, 0, 1, 0)).toThrow(AssertionError);
    expect(() => sockets.recv(1.5, into, 0, 1, 0)).toThrow(AssertionError);
    expect(() => sockets.send(left, out, 0, length + 1, 0)).toThrow(AssertionError);
    expect(() => sockets.send(left, out, length, 1, 0)).toThrow(AssertionError);
    expect(() => sockets.send(left, out, -1, 1, 0)).toThrow(AssertionError);
    expect(() => sockets.send(left, out, Number.NaN, 1, 0)).toThrow(AssertionError);
    expect(sockets.recv(right, into, 0, 1, MessageFlag.dontWait)).toBe(-Errno.EAGAIN);
  });

  it('refuses memory that went to another owner', () => {
    const buffer = PinnedBuffer.allocate(64);
    const vector = new IoVector();
    vector.append(buffer, 0, 64);
    expect(sockets.send(left, buffer, 0, 64, 0)).toBe(64);
    structuredClone(buffer.bytes.buffer, { transfer: [buffer.bytes.buffer as ArrayBuffer] });
    expect(() => sockets.send(left, buffer, 0, 64, 0)).toThrow(/stays inside its buffer/);
    expect(() => sockets.sendVector(left, vector, 0)).toThrow(/stays inside its buffer/);
  });
}
