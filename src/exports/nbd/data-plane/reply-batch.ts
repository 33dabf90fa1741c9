/** Replies that go to a worker together: those of requests that ended together. Small ones share one piece of memory. */

import type { ToWorker } from './messages.ts';

/** Chunks above this are moved to the worker instead of copied, when nobody else can see their memory. */
const MOVE_BYTES = 16 * 1024;

type Message = Extract<ToWorker, { kind: 'replies' }>;

export class ReplyBatch {
  #ids: number[] = [];
  #durationsMs: number[] = [];
  #chunks: Uint8Array[] = [];

  get isEmpty(): boolean {
    return this.#ids.length === 0;
  }

  add(id: number, chunks: readonly Uint8Array[], durationMs: number): void {
    this.#ids.push(id);
    this.#durationsMs.push(durationMs);
    for (const chunk of chunks) this.#chunks.push(chunk);
  }

  /** With the memory that the message takes along. */
  take(): { message: Message; transfer: ArrayBuffer[] } {
    const chunks = joined(this.#chunks);
    const message: Message = {
      kind: 'replies',
      ids: this.#ids,
      durationsMs: this.#durationsMs,
      chunks,
    };
    this.#ids = [];
    this.#durationsMs = [];
    this.#chunks = [];
    return { message, transfer: movable(chunks) };
  }
}

/** In the same order, small neighbours in one. */
function joined(chunks: readonly Uint8Array[]): Uint8Array[] {
  const result: Uint8Array[] = [];
  for (let index = 0; index < chunks.length; ) {
    let [end, lengthBytes] = [index, 0];
    while (end < chunks.length && chunks[end]!.length < MOVE_BYTES) {
      lengthBytes += chunks[end]!.length;
      end += 1;
    }
    if (end > index + 1) {
      result.push(concatenated(chunks, { from: index, to: end, lengthBytes }));
      index = end;
    } else {
      result.push(chunks[index]!);
      index += 1;
    }
  }
  return result;
}

function concatenated(
  chunks: readonly Uint8Array[],
  { from, to, lengthBytes }: { from: number; to: number; lengthBytes: number },
): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  let at = 0;
  for (let index = from; index < to; index += 1) {
    const chunk = chunks[index]!;
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** The memory of large chunks that is theirs alone, but for the room that was left for a header. */
function movable(chunks: readonly Uint8Array[]): ArrayBuffer[] {
  return chunks
    .filter(({ length, buffer }) => length >= MOVE_BYTES && buffer.byteLength - length < MOVE_BYTES)
    .map((chunk) => chunk.buffer)
    .filter((memory): memory is ArrayBuffer => memory instanceof ArrayBuffer);
}
