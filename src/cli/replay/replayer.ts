/** Does what the entries of a log say to a disk, and runs a check in between. */

import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { WriteLogFlag } from '../../formats/write-log/layout.ts';
import type { WriteLog } from '../../formats/write-log/write-log.ts';
import { type FailedCheck, runCheck } from './check.ts';
import type { EntryRange } from './entry-range.ts';
import { entryLine } from './entry-text.ts';
import type { CheckTime, ReplayOptions } from './options.ts';
import type { ReplayDisk } from './replay-disk.ts';

const PIECE_BYTES = 4 * 2 ** 20;

export interface ReplayParts {
  log: WriteLog;
  /** Where the log is. */
  logDisk: ByteDisk;
  disk: ReplayDisk;
  operand: string;
  options: ReplayOptions;
  print: (line: string) => void;
  onProgress: (doneBytes: number) => void;
}

export interface ReplayCounts {
  entryCount: number;
  writtenBytes: number;
  discardedBytes: number;
  skippedCount: number;
  checkCount: number;
}

export class Replayer {
  readonly counts: ReplayCounts = {
    entryCount: 0,
    writtenBytes: 0,
    discardedBytes: 0,
    skippedCount: 0,
    checkCount: 0,
  };
  readonly #parts: ReplayParts;
  #window = new Uint8Array(0);
  #windowStart = 0;

  constructor(parts: ReplayParts) {
    this.#parts = parts;
  }

  /** Up to the end, or to the first check that fails. */
  async run({ first, end }: EntryRange): Promise<FailedCheck | null> {
    const { log, options, disk, onProgress } = this.#parts;
    for (let entry = first; entry < end; entry += 1) {
      await this.#replay(entry);
      this.counts.entryCount += 1;
      onProgress(this.counts.writtenBytes);
      const { check } = options;
      if (check !== undefined && isDue(log, entry, check, this.counts.entryCount)) {
        await disk.close();
        const failed = await this.#check(entry);
        if (failed !== null) return failed;
        await disk.open(0);
      }
    }
    return null;
  }

  async #check(entry: number): Promise<FailedCheck | null> {
    const { operand: image, options } = this.#parts;
    this.counts.checkCount += 1;
    const output = options.json ? 'stderr' : 'stdout';
    return await runCheck({ command: options.fsck!, image, entry, output });
  }

  async #replay(entry: number): Promise<void> {
    const { log, options, print } = this.#parts;
    const isSkipped = skips(log, entry, options);
    if (isSkipped) this.counts.skippedCount += 1;
    if (options.verbose > 1 || (options.verbose === 1 && !isSkipped)) {
      print(`${isSkipped ? 'skipping' : 'replaying'} ${entryLine(log, entry)}`);
    }
    if (isSkipped) return;
    const kind = log.kind(entry);
    if (kind === 'write') await this.#write(entry);
    else if (kind === 'discard') await this.#discard(entry);
  }

  async #write(entry: number): Promise<void> {
    const { log, disk } = this.#parts;
    const place = sectorsToBytes(log.sector(entry));
    const lengthBytes = this.#onDisk(entry);
    for (let done = 0; done < lengthBytes; done += PIECE_BYTES) {
      const pieceBytes = Math.min(PIECE_BYTES, lengthBytes - done);
      const data = await this.#read(log.dataOffsetBytes(entry) + done, pieceBytes);
      await disk.write(place + done, data);
    }
    this.counts.writtenBytes += lengthBytes;
  }

  async #discard(entry: number): Promise<void> {
    const { log, disk } = this.#parts;
    const lengthBytes = this.#onDisk(entry);
    if (lengthBytes > 0) await disk.discard(sectorsToBytes(log.sector(entry)), lengthBytes);
    this.counts.discardedBytes += lengthBytes;
  }

  /** How much of the entry lies on the disk, which `--force` lets be smaller. */
  #onDisk(entry: number): number {
    const { log, disk } = this.#parts;
    const restBytes = disk.sizeBytes - sectorsToBytes(log.sector(entry));
    return Math.max(0, Math.min(sectorsToBytes(log.sectorCount(entry)), restBytes));
  }

  /** Of the log, which is read from its start to its end, some entries at a time. */
  async #read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    const { logDisk } = this.#parts;
    const windowEnd = this.#windowStart + this.#window.byteLength;
    if (offsetBytes < this.#windowStart || offsetBytes + lengthBytes > windowEnd) {
      const restBytes = logDisk.sizeBytes - offsetBytes;
      const bytes = await logDisk.read(offsetBytes, Math.min(PIECE_BYTES, restBytes));
      this.#window = new Uint8Array(bytes);
      this.#windowStart = offsetBytes;
    }
    const at = offsetBytes - this.#windowStart;
    return this.#window.subarray(at, at + lengthBytes);
  }
}

function isDue(log: WriteLog, entry: number, check: CheckTime, entryCount: number): boolean {
  if (typeof check === 'number') return entryCount % check === 0;
  return (log.flags(entry) & WriteLogFlag[check]) !== 0;
}

/** As replay-log: what lies wholly outside the sectors, and discards if nobody wants them. */
function skips(log: WriteLog, entry: number, options: ReplayOptions): boolean {
  const sectorCount = log.sectorCount(entry);
  if (sectorCount === 0) return false;
  if (options.discard === false && log.kind(entry) === 'discard') return true;
  const { startSector = 0, endSector = Number.POSITIVE_INFINITY } = options;
  const sector = log.sector(entry);
  return sector + sectorCount <= startSector || sector > endSector;
}

/** What a disk must have for the entries to fit. */
export function neededBytes(log: WriteLog, range: EntryRange, options: ReplayOptions): number {
  let sectors = 0;
  for (let entry = range.first; entry < range.end; entry += 1) {
    if (log.sectorCount(entry) === 0 || skips(log, entry, options)) continue;
    sectors = Math.max(sectors, log.sector(entry) + log.sectorCount(entry));
  }
  return sectors * SECTOR_BYTES;
}
