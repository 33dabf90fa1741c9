import { expect, test } from 'vitest';
import { forEachRequest, RequestBatch } from './request-batch.ts';

const HEADER_BYTES = 28;

/** Requests one behind the other, as they lie in the input: each has its number in all of its bytes, headers counted from 100. */
function inputOf(payloadLengths: readonly number[]): { input: Uint8Array; starts: number[] } {
  const starts: number[] = [];
  const parts = payloadLengths.map((length, index) => {
    const request = new Uint8Array(HEADER_BYTES + length).fill(index + 1);
    return request.fill(100 + index, 0, HEADER_BYTES);
  });
  let at = 0;
  for (const part of parts) {
    starts.push(at);
    at += part.length;
  }
  return { input: new Uint8Array(Buffer.concat(parts)), starts };
}

function taken(batch: RequestBatch) {
  const message = batch.take()!;
  const requests: { id: number; header: number[]; payload: number[] | null }[] = [];
  forEachRequest(message, HEADER_BYTES, (id, headerAt, payload) => {
    const header = message.bytes.subarray(headerAt, headerAt + HEADER_BYTES);
    requests.push({ id, header: [...header], payload: payload && [...payload] });
  });
  return requests;
}

test('what was added comes out in order, with or without payload', () => {
  const lengths = [512, 0, 4096, 1, 0];
  const { input, starts } = inputOf(lengths);
  const batch = new RequestBatch(input, HEADER_BYTES);
  starts.forEach((start, index) => {
    batch.add(7 + index, start, lengths[index]!);
  });
  const requests = taken(batch);
  // The input is the next requests' from now on.
  input.fill(0);
  expect(requests).toEqual(
    lengths.map((length, index) => ({
      id: 7 + index,
      header: Array.from({ length: HEADER_BYTES }, () => 100 + index),
      payload: length > 0 ? Array.from({ length }, () => index + 1) : null,
    })),
  );
  expect(batch.take()).toBeNull();
});

test('others may lie between them in the input, and batches follow each other', () => {
  const { input, starts } = inputOf([8, 8, 8]);
  const batch = new RequestBatch(input, HEADER_BYTES);
  batch.add(1, starts[0]!, 8);
  batch.add(2, starts[2]!, 8);
  expect(taken(batch).map(({ id, payload }) => [id, payload![0]])).toEqual([
    [1, 1],
    [2, 3],
  ]);
  batch.add(3, starts[1]!, 8);
  expect(taken(batch).map(({ id, payload }) => [id, payload![0]])).toEqual([[3, 2]]);
});

test('payloads of whole sectors are aligned', () => {
  const { input, starts } = inputOf([512, 1024]);
  const batch = new RequestBatch(input, HEADER_BYTES);
  starts.forEach((start, index) => {
    batch.add(index, start, 512 * (index + 1));
  });
  forEachRequest(batch.take()!, HEADER_BYTES, (_id, _headerAt, payload) => {
    expect(payload!.byteOffset % 512).toBe(0);
  });
});

test('it says when it keeps enough memory', () => {
  const batch = new RequestBatch(new Uint8Array(2 ** 20), HEADER_BYTES);
  let count = 0;
  while (!batch.isFull) {
    batch.add(count, 0, 64 * 1024);
    count += 1;
  }
  expect(count).toBe(4);
  batch.take();
  expect(batch.isFull).toBe(false);
});
