import { expect, test } from 'vitest';
import { ReplyBatch } from './reply-batch.ts';

const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);

test('small chunks share memory, long ones take theirs along, and all stay in order', () => {
  const batch = new ReplyBatch();
  expect(batch.isEmpty).toBe(true);
  const long = bytes(64 * 1024, 3);
  batch.add(5, [bytes(16, 1), bytes(20, 2)], 0.5);
  batch.add(4, [long], 1);
  batch.add(9, [bytes(16, 4)], 2);
  const { message, transfer } = batch.take();
  expect(message.ids).toEqual([5, 4, 9]);
  expect(message.durationsMs).toEqual([0.5, 1, 2]);
  expect(message.chunks.map(({ length }) => length)).toEqual([36, 64 * 1024, 16]);
  const whole = Buffer.concat(message.chunks);
  const wanted = [bytes(16, 1), bytes(20, 2), long, bytes(16, 4)];
  expect(Buffer.compare(whole, Buffer.concat(wanted))).toBe(0);
  expect(transfer).toEqual([long.buffer]);
  expect(batch.isEmpty).toBe(true);
});

test('memory that others see is not taken', () => {
  const batch = new ReplyBatch();
  batch.add(1, [bytes(100 * 1024, 1).subarray(0, 20 * 1024)], 0);
  expect(batch.take().transfer).toEqual([]);
});
