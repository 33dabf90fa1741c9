import { expect, test } from 'vitest';
import { HandshakeStream } from './handshake-stream.ts';
import type { Wire } from './wire.ts';

function create() {
  const wire: Wire = {
    onBytes: () => {},
    onClose: () => {},
    write: () => {},
    end: () => {},
    destroy: () => {},
  };
  return { wire, stream: new HandshakeStream(wire) };
}

test('bytes that wait survive the reuse of the memory they came in', async () => {
  const { wire, stream } = create();
  const memory = Buffer.alloc(8);
  for (const value of [1, 2, 3]) {
    memory.fill(value);
    wire.onBytes(memory.subarray(0, 4));
  }
  expect([...(await stream.read(6))]).toEqual([1, 1, 1, 1, 2, 2]);
  memory.fill(9);
  expect(stream.bufferedBytes).toBe(6);
  expect([...stream.detach()]).toEqual([2, 2, 3, 3, 3, 3]);
});

test('a read waits for its last byte', async () => {
  const { wire, stream } = create();
  const read = stream.read(3);
  wire.onBytes(Uint8Array.of(1, 2));
  wire.onBytes(Uint8Array.of(3, 4));
  expect([...(await read)]).toEqual([1, 2, 3]);
  expect([...(await stream.read(1))]).toEqual([4]);
  expect([...(await stream.read(0))]).toEqual([]);
});

test('what came before the end can be read, what did not cannot', async () => {
  const { wire, stream } = create();
  const pending = stream.read(5);
  wire.onBytes(Uint8Array.of(1, 2));
  wire.onClose(null);
  await expect(pending).rejects.toThrow('the server closed the connection');
  expect([...(await stream.read(2))]).toEqual([1, 2]);
  await expect(stream.read(1)).rejects.toMatchObject({ code: 'ECONNRESET' });
});
