import { describe, expect, test } from 'vitest';
import { FormatError } from '../../base/errors.ts';
import { Command } from '../../protocols/nbd/constants.ts';
import { encodeSimpleReply } from '../../protocols/nbd/reply.ts';
import { Connection } from './connection.ts';
import { exportInfo } from './export-info.ts';
import { RemoteRequest } from './remote-request.ts';
import type { Wire } from './wire.ts';

/** Keeps what is written, and reports it gone only when told. */
class HeldWire implements Wire {
  onBytes: (bytes: Uint8Array) => void = () => {};
  onClose: (cause: Error | null) => void = () => {};
  readonly writes: { parts: readonly Uint8Array[]; done: () => void }[] = [];
  destroyed = false;

  write(parts: readonly Uint8Array[], done: () => void): void {
    this.writes.push({ parts, done });
  }

  end(): void {}

  destroy(): void {
    this.destroyed = true;
  }
}

function connect() {
  const wire = new HeldWire();
  const done: RemoteRequest[] = [];
  const lost: { unanswered: RemoteRequest[]; cause: Error }[] = [];
  const info = exportInfo({
    size: { sizeBytes: 1 << 20, flags: 1 },
    blockSize: null,
    replies: 'simple',
    allocationContextId: null,
  });
  const connection = new Connection(wire, info, {
    requestDone: (_connection, request) => done.push(request),
    connectionLost: (_connection, unanswered, cause) => lost.push({ unanswered, cause }),
  });
  return { wire, done, lost, connection };
}

function request(command: number, lengthBytes: number): RemoteRequest {
  const made = new RemoteRequest();
  made.command = command;
  made.lengthBytes = lengthBytes;
  made.data = new Uint8Array(lengthBytes);
  return made;
}

function reply({ cookieHigh, cookieLow }: RemoteRequest): Uint8Array {
  const bytes = new Uint8Array(16);
  encodeSimpleReply(bytes, 0, { cookieHigh, cookieLow }, 0);
  return bytes;
}

const turn = () => new Promise(setImmediate);

describe('gathering', () => {
  test('all headers and small payloads of a turn leave as one', async () => {
    const { wire, connection } = connect();
    for (let count = 0; count < 10; count += 1) connection.send(request(Command.read, 4096));
    connection.send(request(Command.write, 4096));
    connection.send(request(Command.flush, 0));
    expect(wire.writes).toHaveLength(0);
    await turn();
    expect(wire.writes.map(({ parts }) => parts.map(({ length }) => length))).toEqual([
      [12 * 28 + 4096],
    ]);
  });

  test('a large payload is not copied, ends its write, and the next waits for it', async () => {
    const { wire, connection } = connect();
    const large = request(Command.write, 100_000);
    connection.send(request(Command.flush, 0));
    connection.send(large);
    connection.send(request(Command.flush, 0));
    await turn();
    expect(wire.writes).toHaveLength(1);
    expect(wire.writes[0]!.parts.map(({ length }) => length)).toEqual([56, 100_000]);
    expect(wire.writes[0]!.parts[1]).toBe(large.data);
    connection.send(request(Command.flush, 0));
    await turn();
    expect(wire.writes).toHaveLength(1);
    wire.writes[0]!.done();
    expect(wire.writes[1]!.parts.map(({ length }) => length)).toEqual([56]);
  });

  test('what a buffer no longer holds goes into the next', async () => {
    const { wire, connection } = connect();
    for (let count = 0; count < 20; count += 1) connection.send(request(Command.write, 16_384));
    await turn();
    const lengths = wire.writes[0]!.parts.map(({ length }) => length);
    expect(lengths.reduce((sum, length) => sum + length)).toBe(20 * (28 + 16_384));
    expect(lengths.length).toBeGreaterThan(1);
  });
});

describe('a reply that comes too early', () => {
  test('to a large write whose data is still being read costs the connection', async () => {
    const { wire, done, lost, connection } = connect();
    const write = request(Command.write, 100_000);
    connection.send(write);
    await turn();
    wire.onBytes(reply(write));
    expect(done).toEqual([]);
    expect(lost).toEqual([{ unanswered: [write], cause: expect.any(FormatError) }]);
    expect(wire.destroyed).toBe(true);
    wire.onClose(null);
    expect(lost).toHaveLength(1);
  });

  test('to a request that has not even begun to leave, too', async () => {
    const { wire, lost, connection } = connect();
    connection.send(request(Command.write, 100_000));
    const read = request(Command.read, 16);
    connection.send(read);
    await turn();
    wire.onBytes(Buffer.concat([reply(read), new Uint8Array(16)]));
    expect(lost[0]!.cause.message).toMatch(/a request sent in full, got one on its way/);
  });

  test('to a small one that was copied and may have left is none', async () => {
    const { wire, done, connection } = connect();
    const write = request(Command.write, 512);
    connection.send(write);
    await turn();
    wire.onBytes(reply(write));
    expect(done).toEqual([write]);
  });
});

test('a cookie never comes twice, though its slot does', async () => {
  const { wire, done, lost, connection } = connect();
  const first = request(Command.flush, 0);
  connection.send(first);
  await turn();
  const answer = reply(first);
  wire.onBytes(answer);
  wire.writes[0]!.done();
  const second = request(Command.flush, 0);
  connection.send(second);
  await turn();
  expect(second.cookieLow).toBe(first.cookieLow);
  wire.onBytes(answer);
  expect(done).toEqual([first]);
  expect(lost[0]!.unanswered).toEqual([second]);
});
