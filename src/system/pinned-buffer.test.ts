import { describe, expect, it } from 'vitest';
import { AssertionError } from '../base/assert.ts';
import { IoVector, MAX_VECTOR_PIECES } from './io-vector.ts';
import { PinnedBuffer } from './pinned-buffer.ts';

describe('PinnedBuffer', () => {
  it('allocates zeroed memory, shared on demand', () => {
    expect(PinnedBuffer.allocate(16).bytes).toEqual(new Uint8Array(16));
    expect(PinnedBuffer.allocate(16).bytes.buffer).toBeInstanceOf(ArrayBuffer);
    expect(PinnedBuffer.allocate(16, { shared: true }).bytes.buffer).toBeInstanceOf(
      SharedArrayBuffer,
    );
  });

  it('wraps the same memory, from where the view starts', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4).subarray(1);
    const buffer = PinnedBuffer.wrap(bytes);
    buffer.view.setUint8(0, 9);
    expect(bytes[0]).toBe(9);
    expect(buffer.lengthBytes).toBe(3);
    const shared = new SharedArrayBuffer(8);
    PinnedBuffer.wrap(shared).bytes[7] = 5;
    expect(new Uint8Array(shared)[7]).toBe(5);
  });

  it.each([0, 1.5, Number.NaN])('refuses a length of %s', (lengthBytes) => {
    expect(() => PinnedBuffer.allocate(lengthBytes)).toThrow(AssertionError);
  });
});

describe('IoVector', () => {
  const buffer = PinnedBuffer.allocate(10);

  function pieces(vector: IoVector): [number, number][] {
    const list: [number, number][] = [];
    for (let index = vector.first; index < vector.end; index++) {
      list.push([vector.offsets[index]!, vector.lengths[index]!]);
    }
    return list;
  }

  it.each([
    [
      0,
      [
        [0, 4],
        [4, 0],
        [6, 3],
      ],
    ],
    [
      3,
      [
        [3, 1],
        [4, 0],
        [6, 3],
      ],
    ],
    [4, [[6, 3]]],
    [6, [[8, 1]]],
    [7, []],
  ] as [number, [number, number][]][])('after %s bytes keeps %j', (countBytes, left) => {
    const vector = new IoVector();
    vector.append(buffer, 0, 4);
    vector.append(buffer, 4, 0);
    vector.append(buffer, 6, 3);
    vector.consume(countBytes);
    expect(pieces(vector)).toEqual(left);
    expect(vector.totalBytes).toBe(7 - countBytes);
    vector.clear();
    expect([vector.end, vector.totalBytes]).toEqual([0, 0]);
  });

  it.each([
    [8, 3],
    [-1, 2],
    [0, -1],
    [0.5, 1],
    [0, Number.NaN],
  ])('refuses a piece at %s of %s bytes', (offsetBytes, lengthBytes) => {
    expect(() => new IoVector().append(buffer, offsetBytes, lengthBytes)).toThrow(AssertionError);
  });

  it('refuses one piece too many and more than it holds', () => {
    const vector = new IoVector();
    for (let index = 0; index < MAX_VECTOR_PIECES; index++) vector.append(buffer, 0, 1);
    expect(() => vector.append(buffer, 0, 1)).toThrow(/at most 1024 pieces/);
    expect(() => vector.consume(MAX_VECTOR_PIECES + 1)).toThrow(AssertionError);
  });
});
