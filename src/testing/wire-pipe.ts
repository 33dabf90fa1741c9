/** A pipe in memory in place of a socket. */

import type { Wire } from '../devices/nbd/wire.ts';
import { joinBytes } from '../protocols/nbd/frame-reader.ts';

/** Two ends of a pipe; what one writes comes out of the other a little later. */
export function createPipe(): [Wire, Wire] {
  const ends = [new PipeEnd(), new PipeEnd()] as const;
  ends[0].other = ends[1];
  ends[1].other = ends[0];
  return [ends[0], ends[1]];
}

class PipeEnd implements Wire {
  onBytes: (bytes: Uint8Array) => void = () => {};
  onClose: (cause: Error | null) => void = () => {};
  other: PipeEnd | null = null;
  #closed = false;

  write(parts: readonly Uint8Array[], done: () => void): void {
    if (this.#closed) return;
    const bytes = joinBytes(...parts);
    queueMicrotask(() => {
      if (this.#closed) return;
      done();
      this.other?.deliver(bytes);
    });
  }

  deliver(bytes: Uint8Array): void {
    if (!this.#closed) this.onBytes(bytes);
  }

  end(): void {
    queueMicrotask(() => this.destroy());
  }

  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { other } = this;
    queueMicrotask(() => this.onClose(null));
    queueMicrotask(() => other?.destroy());
  }
}
