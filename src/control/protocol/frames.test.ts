import { expect, test } from 'vitest';
import { createPrng } from '../../base/prng.ts';
import { FrameReader } from './frame-reader.ts';
import {
  type ControlReply,
  type ControlRequest,
  encodeReply,
  encodeRequest,
  FRAME_MAGIC,
  MAX_BUFFER_BYTES,
  replyShape,
  requestShape,
} from './frames.ts';

const request: ControlRequest = {
  ioctl: 0xc138fd03,
  wantsReason: true,
  directory: '/home/ä',
  buffer: Uint8Array.from({ length: 100_000 }, (_, index) => index),
};

function join(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

test('a request is read as it was written, however it is cut', () => {
  const bytes = join([...encodeRequest(request), ...encodeRequest({ ...request, directory: '' })]);
  const prng = createPrng(1);
  for (let round = 0; round < 10; round += 1) {
    const reader = new FrameReader(requestShape);
    const frames: ControlRequest[] = [];
    for (let position = 0; position < bytes.length; ) {
      const piece = bytes.subarray(
        position,
        position + 1 + prng.integer(0, round < 3 ? 30 : 90_000),
      );
      const { frame, takenBytes } = reader.read(piece);
      if (frame) frames.push(frame);
      position += takenBytes;
    }
    expect(frames.map(({ buffer }) => Buffer.compare(buffer, request.buffer))).toEqual([0, 0]);
    expect(frames.map(({ directory }) => directory)).toEqual(['/home/ä', '']);
    expect(frames[0]).toMatchObject({ ioctl: request.ioctl, wantsReason: true });
    expect(reader.pendingBytes).toBe(0);
  }
});

test('a reply is read as it was written', () => {
  const reply: ControlReply = { errno: 16, buffer: Uint8Array.of(1, 2), reason: 'Müde' };
  const bytes = join(encodeReply(reply));
  expect(new FrameReader(replyShape).read(bytes)).toEqual({
    frame: reply,
    takenBytes: bytes.length,
  });
});

test('the layout is the documented one', () => {
  const bytes = join(
    encodeRequest({ ioctl: 7, wantsReason: true, directory: '/d', buffer: Uint8Array.of(9, 8, 7) }),
  );
  expect(Buffer.from(bytes).toString('hex')).toBe(
    `4f4c444d${'1d000000'}${'07000000'}${'01000000'}${'02000000'}${'03000000'}${'2f64'}${'090807'}`,
  );
});

function header(words: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(words.length * 4);
  words.forEach((word, index) => {
    bytes.writeUInt32LE(word, index * 4);
  });
  return bytes;
}

test.each([
  ['another magic', [0x1234, 24, 0, 0, 0, 0], /magic at byte 0: expected 0x4d444c4f, got 0x1234/],
  [
    'a length that is not its sum',
    [FRAME_MAGIC, 30, 0, 0, 2, 3],
    /frame length at byte 4: expected 29/,
  ],
  [
    'a directory that is too long',
    [FRAME_MAGIC, 24 + 4097, 0, 0, 4097, 0],
    /directory length at byte 16: expected at most 4096/,
  ],
  [
    'a buffer that is too long',
    [FRAME_MAGIC, 25 + MAX_BUFFER_BYTES, 0, 0, 0, MAX_BUFFER_BYTES + 1],
    /buffer length at byte 20/,
  ],
  ['lengths that wrap around', [FRAME_MAGIC, 23, 0, 0, 0, 0xffffffff], /buffer length/],
])('a request with %s is refused', (_, words, message) => {
  expect(() => new FrameReader(requestShape).read(header(words))).toThrow(message);
});

test('memory is taken for what has come, not for what was promised', () => {
  const reader = new FrameReader(requestShape);
  const before = process.memoryUsage().arrayBuffers;
  reader.read(header([FRAME_MAGIC, 24 + MAX_BUFFER_BYTES, 0, 0, 0, MAX_BUFFER_BYTES]));
  reader.read(new Uint8Array(1000));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  expect(reader.pendingBytes).toBe(1024);
});
