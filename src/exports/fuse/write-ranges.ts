/**
 * Keeps writes of one device apart where one of them covers a block in part: that one reads the block, changes it and writes all of it,
 * and would undo what another has written meanwhile. Writes of whole blocks go side by side.
 */

import type { ByteRange } from '../data-plane/replica-runner.ts';

interface Entry {
  range: ByteRange;
  isPartial: boolean;
  ended: Promise<void>;
}

export class WriteRanges {
  readonly #entries = new Set<Entry>();

  /** Runs `action` after those that came before and are in its way; `range` is whole blocks. */
  async run<T>(range: ByteRange, isPartial: boolean, action: () => Promise<T>): Promise<T> {
    // Each waits only for earlier ones, so never two for each other.
    const before = [...this.#entries].filter(
      (entry) => (isPartial || entry.isPartial) && overlaps(entry.range, range),
    );
    let end!: () => void;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const entry = { range, isPartial, ended };
    this.#entries.add(entry);
    try {
      for (const each of before) await each.ended;
      return await action();
    } finally {
      this.#entries.delete(entry);
      end();
    }
  }
}

function overlaps(one: ByteRange, other: ByteRange): boolean {
  return (
    one.offsetBytes < other.offsetBytes + other.lengthBytes &&
    other.offsetBytes < one.offsetBytes + one.lengthBytes
  );
}
