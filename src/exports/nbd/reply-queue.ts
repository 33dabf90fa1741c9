/**
 * Gathers replies and hands them to a stream in batches: one write at a time, whatever ends meanwhile goes with the next.
 * Batches are small enough that each one that is taken shows the client alive.
 */

import type { Duplex } from 'node:stream';

/** Whole replies, and the memory they held. */
export interface ReplyBatch {
  count: number;
  costBytes: number;
}

/** Bytes to send; the last part of a reply carries its count and cost. */
interface Part extends ReplyBatch {
  bytes: Uint8Array;
}

const BATCH_BYTES = 1024 * 1024;
/** Copying that little is cheaper than a part of its own in a gathered write. */
const SMALL_BYTES = 8192;
const COPY_LIMIT_BYTES = 64 * 1024;

export class ReplyQueue {
  readonly #stream: Duplex;
  readonly #onWritten: (batch: ReplyBatch) => void;
  #parts: Part[] = [];
  #writing: ReplyBatch | null = null;
  #scheduled = false;
  #closed = false;

  constructor(stream: Duplex, onWritten: (batch: ReplyBatch) => void) {
    this.#stream = stream;
    this.#onWritten = onWritten;
  }

  /** A batch waits for the system to take it. */
  get isWriting(): boolean {
    return this.#writing !== null;
  }

  push(chunks: readonly Uint8Array[], costBytes: number): void {
    const last = chunks.length - 1;
    chunks.forEach((bytes, index) => {
      const isLast = index === last;
      this.#parts.push({ bytes, count: isLast ? 1 : 0, costBytes: isLast ? costBytes : 0 });
    });
    if (this.#scheduled || this.#writing !== null) return;
    this.#scheduled = true;
    // After all replies of this turn are in.
    queueMicrotask(() => this.#write());
  }

  /** Forgets everything; returns what had not been written. */
  close(): ReplyBatch {
    this.#closed = true;
    const rest = sumParts(this.#parts);
    rest.count += this.#writing?.count ?? 0;
    rest.costBytes += this.#writing?.costBytes ?? 0;
    this.#parts = [];
    this.#writing = null;
    return rest;
  }

  #write(): void {
    this.#scheduled = false;
    if (this.#closed || this.#parts.length === 0) return;
    const parts = this.#takeBatch();
    const batch = sumParts(parts);
    this.#writing = batch;
    const chunks = mergeSmall(parts);
    this.#stream.cork();
    chunks.forEach((chunk, index) => {
      if (index < chunks.length - 1) this.#stream.write(chunk);
      else this.#stream.write(chunk, () => this.#afterWrite(batch));
    });
    this.#stream.uncork();
  }

  #takeBatch(): Part[] {
    let room = BATCH_BYTES;
    let taken = 0;
    while (taken < this.#parts.length && this.#parts[taken]!.bytes.length <= room) {
      room -= this.#parts[taken]!.bytes.length;
      taken += 1;
    }
    const batch = this.#parts.splice(0, taken);
    const next = this.#parts[0];
    if (next === undefined || room < SMALL_BYTES) return batch;
    batch.push({ bytes: next.bytes.subarray(0, room), count: 0, costBytes: 0 });
    next.bytes = next.bytes.subarray(room);
    return batch;
  }

  #afterWrite(batch: ReplyBatch): void {
    // A stream that breaks calls back too; by then `close` has counted the batch.
    if (this.#closed || this.#writing !== batch) return;
    this.#writing = null;
    this.#write();
    this.#onWritten(batch);
  }
}

function sumParts(parts: readonly Part[]): ReplyBatch {
  const sum = { count: 0, costBytes: 0 };
  for (const { count, costBytes } of parts) {
    sum.count += count;
    sum.costBytes += costBytes;
  }
  return sum;
}

/** Runs of small chunks become one. */
function mergeSmall(parts: readonly Part[]): Uint8Array[] {
  const merged: Uint8Array[] = [];
  let run: Uint8Array[] = [];
  let runBytes = 0;
  const endRun = () => {
    if (run.length > 0) merged.push(run.length === 1 ? run[0]! : Buffer.concat(run));
    run = [];
    runBytes = 0;
  };
  for (const { bytes } of parts) {
    const isSmall = bytes.length <= SMALL_BYTES;
    if (!isSmall || runBytes + bytes.length > COPY_LIMIT_BYTES) endRun();
    if (isSmall) {
      run.push(bytes);
      runBytes += bytes.length;
    } else {
      merged.push(bytes);
    }
  }
  endRun();
  return merged;
}
