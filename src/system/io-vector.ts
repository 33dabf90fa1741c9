/**
 * Pieces of pinned memory for one gathered send or one scattered read, in order. Made once and reused:
 * `clear`, `append` ..., call, and after a short count `consume` and call again.
 */
import { assert } from '../base/assert.ts';
import type { PinnedBuffer } from './pinned-buffer.ts';

/** UIO_MAXIOV: the kernel takes no more pieces in one call. */
export const MAX_VECTOR_PIECES = 1024;

export class IoVector {
  /** The pieces still to transfer are those from `first` up to `end`. */
  first = 0;
  end = 0;
  /** Sum of the pieces still to transfer. */
  totalBytes = 0;
  readonly buffers: PinnedBuffer[] = [];
  readonly offsets: number[] = [];
  readonly lengths: number[] = [];

  /** Keeps its memory, and keeps the buffers alive until others take their place. */
  clear(): void {
    this.first = 0;
    this.end = 0;
    this.totalBytes = 0;
  }

  append(buffer: PinnedBuffer, offsetBytes: number, lengthBytes: number): void {
    assert(this.end < MAX_VECTOR_PIECES, 'a vector has at most 1024 pieces');
    assert(
      Number.isSafeInteger(offsetBytes) && offsetBytes >= 0,
      'a vector piece starts at a whole offset',
    );
    assert(
      Number.isSafeInteger(lengthBytes) && lengthBytes >= 0,
      'a vector piece has a whole length',
    );
    assert(
      offsetBytes + lengthBytes <= buffer.lengthBytes,
      'a vector piece lies inside its buffer',
    );
    this.buffers[this.end] = buffer;
    this.offsets[this.end] = offsetBytes;
    this.lengths[this.end] = lengthBytes;
    this.end++;
    this.totalBytes += lengthBytes;
  }

  /** Drops the first `countBytes`, which a call has transferred. */
  consume(countBytes: number): void {
    assert(
      countBytes >= 0 && countBytes <= this.totalBytes,
      'a vector gives up at most what it holds',
    );
    this.totalBytes -= countBytes;
    let left = countBytes;
    while (this.first < this.end && left >= this.lengths[this.first]!) {
      left -= this.lengths[this.first]!;
      this.first++;
    }
    if (left === 0) return;
    this.offsets[this.first]! += left;
    this.lengths[this.first]! -= left;
  }
}
