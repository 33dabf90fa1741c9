/** Long ranges in pieces: the next one is read, and the last one written, while one is worked on. */

import type { ByteDisk } from '../../../core/byte-disk.ts';

/** A multiple of every block that a checksum may cover. */
export const CHUNK_BYTES = 4 * 1024 * 1024;

export interface Chunk {
  /** From the start of the range. */
  atBytes: number;
  bytes: Uint8Array;
}

/** Reads a range in pieces, one ahead. */
export async function* readChunks(
  disk: ByteDisk,
  offsetBytes: number,
  lengthBytes: number,
): AsyncGenerator<Chunk> {
  const read = (atBytes: number): Promise<Uint8Array> | null => {
    if (atBytes >= lengthBytes) return null;
    const reading = disk.read(offsetBytes + atBytes, Math.min(CHUNK_BYTES, lengthBytes - atBytes));
    // Awaited below, unless the consumer stops before.
    reading.catch(() => undefined);
    return reading;
  };
  let next = read(0);
  for (let atBytes = 0; next !== null; atBytes += CHUNK_BYTES) {
    const bytes = await next;
    next = read(atBytes + CHUNK_BYTES);
    yield { atBytes, bytes };
  }
}

/** Writes one piece behind: `write` waits for the piece before; `end` for the last, and makes all durable. */
export class WriteBehind {
  readonly #disk: ByteDisk;
  #pending: Promise<void> = Promise.resolve();

  constructor(disk: ByteDisk) {
    this.#disk = disk;
  }

  /** The bytes belong to the disk from now on. */
  async write(offsetBytes: number, bytes: Uint8Array): Promise<void> {
    await this.#pending;
    this.#pending = this.#disk.write(offsetBytes, bytes);
    // Its failure is reported by the next call.
    this.#pending.catch(() => undefined);
  }

  async end(): Promise<void> {
    await this.#pending;
    await this.#disk.flush();
  }
}
