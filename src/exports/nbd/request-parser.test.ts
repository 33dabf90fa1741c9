import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { Command, CommandFlag } from '../../protocols/nbd/constants.ts';
import {
  encodeExtendedRequest,
  encodeRequest,
  type RequestToSend,
} from '../../protocols/nbd/request.ts';
import { RequestParser } from './request-parser.ts';

const MIB = 2 ** 20;

/** `command:cookie:length of payload or -` of everything that was received. */
class Receiver {
  received: string[] = [];
  payloads: (Uint8Array | null)[] = [];
  room = Number.POSITIVE_INFINITY;
  readonly parser: RequestParser;

  constructor(extendedHeaders = false) {
    this.parser = new RequestParser(extendedHeaders, {
      admit: () => {
        if (this.room === 0) return false;
        this.room -= 1;
        return true;
      },
      receive: (request, payload) => {
        this.received.push(`${request.command}:${request.cookieLow}:${payload?.length ?? '-'}`);
        this.payloads.push(payload);
        if (request.command === Command.disconnect) this.parser.stop();
      },
    });
  }
}

function header(fields: Partial<RequestToSend>, extendedHeaders = false): Buffer {
  const all = {
    flags: 0,
    command: Command.read,
    cookieHigh: 0,
    cookieLow: 0,
    offsetBytes: 0,
    lengthBytes: 0,
    ...fields,
  };
  const bytes = Buffer.alloc(extendedHeaders ? 32 : 28);
  if (extendedHeaders) encodeExtendedRequest(bytes, 0, all);
  else encodeRequest(bytes, 0, all);
  return bytes;
}

const payload = Buffer.from(Array.from({ length: 100 }, (_, index) => index));
const stream = Buffer.concat([
  header({ cookieLow: 1, lengthBytes: 512 }),
  header({ cookieLow: 2, command: Command.write, lengthBytes: 100 }),
  payload,
  header({ cookieLow: 3, command: Command.write }),
  header({ cookieLow: 4, command: Command.flush }),
]);
const expected = ['0:1:-', '1:2:100', '1:3:-', '3:4:-'];

test('cut anywhere, a stream gives the same requests', () => {
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const receiver = new Receiver();
    receiver.parser.feed(stream.subarray(0, cut));
    receiver.parser.feed(stream.subarray(cut));
    expect(receiver.received).toEqual(expected);
    expect(Buffer.from(receiver.payloads[1]!)).toEqual(payload);
  }
});

test.each([1, 7, 27, 29])('in pieces of %d bytes', (pieceBytes) => {
  const receiver = new Receiver();
  for (let at = 0; at < stream.length; at += pieceBytes) {
    receiver.parser.feed(stream.subarray(at, at + pieceBytes));
  }
  expect(receiver.received).toEqual(expected);
  expect(Buffer.from(receiver.payloads[1]!)).toEqual(payload);
});

test('without room nothing is read, and all of it when there is room again', () => {
  const receiver = new Receiver();
  receiver.room = 1;
  receiver.parser.feed(stream.subarray(0, 80));
  expect(receiver.received).toEqual(['0:1:-']);
  expect(receiver.parser.isWaiting).toBe(true);
  receiver.parser.feed(stream.subarray(80));
  receiver.parser.resume();
  expect(receiver.received).toEqual(['0:1:-']);
  receiver.room = 10;
  receiver.parser.resume();
  expect(receiver.received).toEqual(expected);
  expect(receiver.parser.isWaiting).toBe(false);
});

test('behind a stop nothing is looked at', () => {
  const receiver = new Receiver();
  receiver.parser.feed(Buffer.concat([header({ command: Command.disconnect }), stream]));
  receiver.parser.feed(stream);
  expect(receiver.received).toEqual(['2:0:-']);
});

test('a half-received payload is known by its size', () => {
  const receiver = new Receiver();
  receiver.parser.feed(header({ command: Command.write, lengthBytes: 5000 }));
  expect(receiver.parser.receivingBytes).toBe(5000);
  receiver.parser.feed(Buffer.alloc(5000));
  expect(receiver.parser.receivingBytes).toBe(0);
});

describe('payloads that nobody wants', () => {
  const next = header({ cookieLow: 9 }, true);

  test('of a read with extended headers are skipped', () => {
    const receiver = new Receiver(true);
    const flags = CommandFlag.payloadLength;
    receiver.parser.feed(header({ flags, lengthBytes: 100 }, true));
    receiver.parser.feed(Buffer.concat([payload, next]));
    expect(receiver.received).toEqual(['0:0:-', '0:9:-']);
  });

  test('of a block status are kept up to what can be meant', () => {
    const receiver = new Receiver(true);
    const fields = { flags: CommandFlag.payloadLength, command: Command.blockStatus };
    receiver.parser.feed(header({ ...fields, lengthBytes: 4096 }, true));
    receiver.parser.feed(Buffer.alloc(4096));
    receiver.parser.feed(header({ ...fields, lengthBytes: 4097 }, true));
    receiver.parser.feed(Buffer.alloc(4097));
    expect(receiver.received).toEqual(['7:0:4096', '7:0:-']);
  });

  test('of a write that is too large are skipped, waiting for room at their end', () => {
    const receiver = new Receiver();
    receiver.room = 0;
    receiver.parser.feed(header({ command: Command.write, lengthBytes: 33 * MIB }));
    for (let count = 0; count < 33; count += 1) receiver.parser.feed(Buffer.alloc(MIB));
    receiver.parser.feed(header({ cookieLow: 9 }));
    expect(receiver.received).toEqual([]);
    receiver.room = 2;
    receiver.parser.resume();
    expect(receiver.received).toEqual(['1:0:-', '0:9:-']);
  });
});

describe('streams that end the connection', () => {
  test.each([
    ['a foreign magic number', false, Buffer.alloc(28), /magic at byte 0/],
    ['a compact request where extended ones are agreed', true, Buffer.concat([stream]), /magic/],
    [
      'a compact write of 65 MiB',
      false,
      header({ command: Command.write, lengthBytes: 65 * MIB }),
      /payload at byte 24: expected at most 67108864 bytes, got 68157440 bytes/,
    ],
    [
      'an extended write of 33 MiB',
      true,
      header({ command: Command.write, flags: 32, lengthBytes: 33 * MIB }, true),
      /payload at byte 24: expected at most 33554432 bytes/,
    ],
    [
      'a payload beyond all measure',
      true,
      header({ flags: 32, lengthBytes: Number.MAX_SAFE_INTEGER }, true),
      /payload at byte 24/,
    ],
  ])('%s', (_name, extendedHeaders, bytes, error) => {
    const receiver = new Receiver(extendedHeaders);
    expect(() => receiver.parser.feed(bytes)).toThrow(error);
  });
});
