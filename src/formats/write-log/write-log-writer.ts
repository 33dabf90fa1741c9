/**
 * Writes a log: entries one behind the other, the super block when told to. What it was given is on its way when a call resolves, durable after `flush`.
 *
 *   const writer = new WriteLogWriter(disk, { sectorBytes: 512 });
 *   await writer.append({ sector: 8, sectorCount: 8, flags: 0 }, [data]);
 *   await writer.finish('dm-log-writes-end');
 */

import { assert } from '../../base/assert.ts';
import { DmError } from '../../base/errors.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import { ENTRY, isSectorSize, largestMarkBytes, SUPER_BLOCK, WriteLogFlag } from './layout.ts';
import type { WriteLogEntry } from './write-log.ts';

/** What a log is written to; a ByteDisk is one. */
export interface WriteLogSink {
  readonly sizeBytes: number;
  write(offsetBytes: number, bytes: Uint8Array): Promise<void>;
  flush(): Promise<void>;
}

export class WriteLogWriter {
  readonly sectorBytes: number;
  readonly #sink: WriteLogSink;
  #entryCount = 0;
  #endBytes: number;

  constructor(sink: WriteLogSink, { sectorBytes }: { sectorBytes: number }) {
    assert(isSectorSize(sectorBytes), `${sectorBytes} bytes are a log's sector`);
    this.#sink = sink;
    this.sectorBytes = sectorBytes;
    this.#endBytes = sectorBytes;
  }

  get entryCount(): number {
    return this.#entryCount;
  }

  /** Where the next entry goes. */
  get endBytes(): number {
    return this.#endBytes;
  }

  /** `data`: all that a write wrote. Throws DmError ENOSPC when it does not fit, and what the sink throws. */
  async append(entry: WriteLogEntry, data?: Uint8Array): Promise<void> {
    const dataBytes = entry.flags & WriteLogFlag.discard ? 0 : sectorsToBytes(entry.sectorCount);
    assert((data?.byteLength ?? 0) === dataBytes, `an entry comes with its ${dataBytes} bytes`);
    const bytes = new Uint8Array(this.sectorBytes + dataBytes);
    encodeEntry(entry, this.sectorBytes, bytes);
    if (data) bytes.set(data, this.sectorBytes);
    const end = this.#endBytes + bytes.byteLength;
    if (end > this.#sink.sizeBytes) {
      throw new DmError(
        'ENOSPC',
        `Cannot log entry ${this.#entryCount}: ran out of space on the logdev: needs ${end} bytes, has ${this.#sink.sizeBytes}`,
      );
    }
    await this.#sink.write(this.#endBytes, bytes);
    this.#endBytes = end;
    this.#entryCount += 1;
  }

  mark(text: string): Promise<void> {
    return this.append({ sector: 0, sectorCount: 0, flags: WriteLogFlag.mark, mark: text });
  }

  /** From now on a reader finds what was appended. */
  async writeSuperBlock(): Promise<void> {
    await this.#sink.write(0, encodeSuperBlock(this.#entryCount, this.sectorBytes));
  }

  async flush(): Promise<void> {
    await this.#sink.flush();
  }

  /** Everything durable, and the super block behind it. */
  async finish(mark?: string): Promise<void> {
    if (mark !== undefined) await this.mark(mark);
    await this.flush();
    await this.writeSuperBlock();
    await this.flush();
  }
}

/** A whole log sector. */
export function encodeSuperBlock(entryCount: number, sectorBytes: number): Uint8Array {
  const bytes = new Uint8Array(sectorBytes);
  return SUPER_BLOCK.encode({ entryCount, sectorBytes }, bytes, 0);
}

/** Into the first log sector of `target`, which is zeros. Sectors are such of 512 bytes; DmError EINVAL where the log's do not fit them. */
export function encodeEntry(entry: WriteLogEntry, sectorBytes: number, target: Uint8Array): void {
  const unit = sectorBytes / SECTOR_BYTES;
  const text = new TextEncoder()
    .encode(entry.mark ?? '')
    .subarray(0, largestMarkBytes(sectorBytes));
  ENTRY.encode(
    {
      sector: entry.sector / unit,
      sectorCount: entry.sectorCount / unit,
      flags: entry.flags,
      dataBytes: text.byteLength,
    },
    target,
    0,
  );
  target.set(text, ENTRY.sizeBytes);
}
