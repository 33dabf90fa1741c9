import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../base/prng.ts';
import { InputBuffer } from './input-buffer.ts';

const MAX_REQUEST_BYTES = 1024 * 1024;

/** Feeds `stream` through a buffer in receives of random length, consuming records of the given sizes; answers what came out. */
function pump(stream: Uint8Array, sizes: number[], seed: number): Uint8Array {
  const prng = createPrng(seed);
  const input = new InputBuffer(InputBuffer.allocate(MAX_REQUEST_BYTES));
  const output = new Uint8Array(stream.length);
  let sent = 0;
  let taken = 0;
  for (const size of sizes) {
    while (input.availableBytes < size) {
      const wanted = input.prepare(size);
      expect(wanted).toBeGreaterThan(0);
      const count = Math.min(prng.integer(1, wanted), stream.length - sent);
      input.pinned.bytes.set(stream.subarray(sent, sent + count), input.end);
      input.received(count);
      sent += count;
    }
    output.set(input.pinned.bytes.subarray(input.start, input.start + size), taken);
    input.consume(size);
    taken += size;
  }
  return output;
}

describe('InputBuffer', () => {
  it.each([1, 2, 3, 4, 5])('gives back what came in, whatever the sizes (seed %i)', (seed) => {
    const prng = createPrng(seed);
    const sizes = Array.from({ length: 60 }, () =>
      prng.pick([28, 28 + 512, 28 + 4096, prng.integer(1, MAX_REQUEST_BYTES), MAX_REQUEST_BYTES]),
    );
    const stream = prng.fill(new Uint8Array(sizes.reduce((sum, size) => sum + size, 0)));
    expect(Buffer.compare(pump(stream, sizes, seed), stream)).toBe(0);
  });

  it('asks for little beyond a long payload', () => {
    const input = new InputBuffer(InputBuffer.allocate(MAX_REQUEST_BYTES));
    input.load(new Uint8Array(28));
    const wanted = input.prepare(28 + MAX_REQUEST_BYTES);
    expect(wanted).toBeGreaterThanOrEqual(MAX_REQUEST_BYTES);
    expect(wanted).toBeLessThanOrEqual(MAX_REQUEST_BYTES + 8192);
  });
});
