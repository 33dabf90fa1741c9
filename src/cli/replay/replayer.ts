/** Does what the entries of a log say to a disk, and runs a check in between. */

import { spawn } from 'node:child_process';
import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { WriteLogFlag } from '../../formats/write-log/layout.ts';
import type { WriteLog } from '../../formats/write-log/write-log.ts';
import { CommandError } from '../failure.ts';
import type { EntryRange } from './entry-range.ts';
import { entryLine } from './entry-text.ts';
import type { CheckTime, ReplayOptions } from './options.ts';
import type { ReplayDisk } from './replay-disk.ts';

/** The check found something wrong, as against: something could not be done. */
const CHECK_FAILED_STATUS = 3;
/** Of a shell. */
const NOT_RUN = /^ended with status 12[67]$/;
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

  /** Throws a CommandError when the check fails. */
  async run({ first, end }: EntryRange): Promise<void> {
    const { log, options, disk, onProgress } = this.#parts;
    for (let entry = first; entry < end; entry += 1) {
      await this.#replay(entry);
      this.counts.entryCount += 1;
      onProgress(this.counts.writtenBytes);
      const { check } = options;
      if (check !== undefined && isDue(log, entry, check, this.counts.entryCount)) {
        await disk.close();
        await this.#check(entry);
        await disk.open(0);
      }
    }
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

  async #check(entry: number): Promise<void> {
    const { log, operand, options } = this.#parts;
    const command = options.fsck!;
    this.counts.checkCount += 1;
    const result = await runCheck(command, {
      DEVMAPPER_REPLAY: operand,
      DEVMAPPER_ENTRY: String(entry),
    });
    if (result === 'ended with status 0') return;
    if (NOT_RUN.test(result)) {
      throw new CommandError(`Cannot run the check "${command}": it ${result}`, {
        details: ['that is what a shell says when there is no such program, or none it may run'],
      });
    }
    throw new CommandError(`Fsck errored out on entry ${entry}: "${command}" ${result}`, {
      status: CHECK_FAILED_STATUS,
      details: [
        `the entry: ${entryLine(log, entry)}`,
        `"${operand}" is as it was then; onto an image as the logged disk began, --limit ${entry + 1} makes it so again`,
      ],
    });
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

/** Through the shell; how it ended. */
function runCheck(command: string, environment: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...environment };
    const child = spawn(command, { shell: true, stdio: ['ignore', 'inherit', 'inherit'], env });
    child.on('error', reject);
    child.on('exit', (status, signal) => {
      resolve(signal === null ? `ended with status ${status}` : `was ended by ${signal}`);
    });
  });
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
